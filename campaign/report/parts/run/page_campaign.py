"""What was run: system, settings, hardware, time per stage."""

import time
from typing import Any

from campaign.ledger import NOTES
from campaign.report.kit import style
from campaign.report.kit.blocks import Facts, Fold, Gallery, Note, Picture, Section
from campaign.report.kit.canvas import Canvas, mark_resumes
from campaign.report.kit.sources import Attempt, RunSource
from campaign.telling import words
from campaign.watching.timeline import DriverClock, read_starts

STATE_COLOURS = {
    "done": "#4c7fa8", "running": "#8fb8d8", "interrupted": "#c9ced6",
    "failed": "#c0392b",
}  # fmt: skip


def what_was_run(source: RunSource, canvas: Canvas) -> Section:
    """Describe the campaign and where its time went."""
    section = Section(
        "run", "What was run", "Which system and settings, on what, and for how long?"
    )
    section.blocks.append(Facts(system_facts(source)))
    section.blocks += [
        Fold(heading, [Facts(rows)]) for heading, rows in source.details.items()
    ]
    section.blocks.append(Fold("Versions and hardware", [Facts(machine_facts(source))]))
    section.blocks += [Note(said, "caution") for said in later_changes(source)]
    starts = read_starts(source.paths.root)
    if source.attempts and starts:
        clock = DriverClock(starts)
        picture = draw_stages(source.attempts, source.stages, clock, canvas)
        section.blocks.append(Gallery([picture], columns=1))
    else:
        section.blocks.append(Note("No stage was started yet.", "missing"))
    return section


def system_facts(source: RunSource) -> list[tuple[str, str]]:
    """Return what was simulated, as labels and values."""
    config = source.config
    rows: list[tuple[str, str]] = [
        ("Campaign", str(config.get("name", source.paths.name)))
    ]
    if "type" in config:
        rows.append(
            (
                "Type and seed",
                f"{config['type']}, seed {config.get('seed', words.NONE)}",
            )
        )
    return [*rows, *source.facts]


def later_changes(source: RunSource) -> list[str]:
    """Return what changed in the run after it began, a sentence each."""
    return [
        f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(e.time))}: {e.message}."
        for e in source.entries
        if e.event in NOTES and e.message
    ]


def machine_facts(source: RunSource) -> list[tuple[str, str]]:
    """Return hardware and package versions, as labels and values."""
    found = source.environment
    rows = [
        ("Started", str(found.get("started", words.NONE))),
        ("Site", str(found.get("site", words.NONE))),
        ("Host", str(found.get("host", words.NONE))),
        ("Processor", str(found.get("processor") or words.NONE)),
        (
            "Cores and memory",
            f"{found.get('n_cores', '?')} cores, {found.get('memory_gib', '?')} GiB",
        ),
        ("GPUs", ", ".join(map(str, found.get("gpus") or [])) or "none"),
        ("Python", str(found.get("python", words.NONE))),
    ]
    if found.get("git"):
        rows.append(("Source revision", str(found["git"])[:12]))
    packages: dict[str, Any] = found.get("packages") or {}
    listed = ", ".join(f"{k} {v}" for k, v in packages.items() if v)
    return [*rows, ("Packages", listed or words.NONE)]


def draw_stages(
    attempts: list[Attempt], order: list[str], clock: DriverClock, canvas: Canvas
) -> Picture:
    """Draw when each stage was at work, one row a stage."""
    attempts = [a for a in attempts if a.state != "running" or a.ended > a.started]
    shown = [s for s in order if any(a.stage == s for a in attempts)]
    seconds = dict.fromkeys(shown, 0.0)
    unit, size = words.time_unit(clock.offsets[-1])
    bars: list[tuple[str, float, float, str]] = []
    with canvas.axes((style.WIDE_INCH, 0.75 + 0.31 * len(shown))) as (figure, axes):
        for attempt in attempts:
            if attempt.stage not in seconds:
                continue
            begin, end = clock.read(attempt.started), clock.read(attempt.ended)
            seconds[attempt.stage] += end - begin
            row = shown.index(attempt.stage)
            colour = STATE_COLOURS[attempt.state]
            width = max((end - begin) / size, 0.002 * clock.offsets[-1] / size)
            axes.barh(row, width, left=begin / size, color=colour, height=0.62)
            bars.append((attempt.stage, begin, end, attempt.state))
        for row, stage in enumerate(shown):
            right = max(end for name, _, end, _ in bars if name == stage) / size
            axes.annotate(
                words.duration(seconds[stage]), (right, row), (5, 0), va="center",
                textcoords="offset points", fontsize=9,
            )  # fmt: skip
        mark_resumes(axes, (at / size for at in clock.resumes))
        axes.set_yticks(range(len(shown)), [s.replace("_", " ") for s in shown])
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(0, max(clock.offsets[-1] / size, 1e-9) * 1.1)
        axes.set_xlabel(f"time since the start, {unit}")
        return canvas.keep(
            figure,
            "stages",
            caption="When was each stage at work, and for how long? Stages overlap "
            "where the next does not wait for the whole of the one before."
            + (" Dotted lines: resumed; pauses are cut out." if clock.resumes else ""),
            alt="Horizontal bars: the time each stage took",
            numbers={"columns": ["stage", "start_s", "end_s", "state"], "rows": bars},
            wide=True,
        )
