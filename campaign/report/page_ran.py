"""What was run: system, settings, hardware, time per stage, what each worker did."""

import itertools
from typing import Any

from campaign.report import style, words
from campaign.report.blocks import (
    Cell,
    Facts,
    Fold,
    Gallery,
    Note,
    Picture,
    Section,
    Table,
)
from campaign.report.canvas import Canvas
from campaign.report.sources import Attempt, RunSource
from campaign.timeline import (
    DriverClock,
    StageIdle,
    Task,
    idle_by_stage,
    merge,
    orchestration_share,
    read_starts,
    read_tasks,
)

MAX_WORKERS = 40
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
    section.blocks.append(Fold("Versions and hardware", [Facts(machine_facts(source))]))
    root = source.paths.root
    starts = read_starts(root)
    clock = DriverClock(starts)
    if source.attempts and starts:
        picture = draw_stages(source.attempts, source.stages, clock, canvas)
        section.blocks.append(Gallery([picture], columns=1))
    else:
        section.blocks.append(Note("No stage was started yet.", "missing"))
    tasks = read_tasks(root)
    if not tasks or not starts:
        section.blocks.append(Note("No worker has finished a task yet.", "missing"))
        return section
    section.blocks.append(Gallery([draw_workers(tasks, clock, canvas)], columns=1))
    section.blocks.append(
        idle_table(
            idle_by_stage(tasks, starts), orchestration_share(root), source.stages
        )
    )
    return section


def system_facts(source: RunSource) -> list[tuple[str, str]]:
    """Return what was simulated, as labels and values."""
    system, config = source.system, source.config
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
    if system:
        sequence = str(system.get("sequence", ""))
        rows.append(
            ("Sequence", f"{sequence} ({words.count(len(sequence), 'residue')})")
        )
        size = f"{system.get('n_particles', 0):,} particles, {system.get('solvent')}"
        rows.append(("System", size + (", periodic" if system.get("periodic") else "")))
        rows.append(
            (
                "Dynamics",
                f"{words.number(system['temperature_kelvin'])} K, friction "
                f"{words.number(system['friction_per_ps'])} ps⁻¹, time step "
                f"{words.number(system['timestep_fs'])} fs",
            )
        )
        rows.append(("Starts", ", ".join(map(str, system.get("start_names", [])))))
    mapping = source.mapping
    beads = mapping.get("names") or mapping.get("bead_names") or mapping.get("z")
    if beads:
        kind = mapping.get("kind", "beads")
        rows.append(("Coarse grain", f"{words.count(len(beads), 'bead')}, {kind}"))
    return rows


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
    unit, size = _time_unit(clock.offsets[-1])
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
        _mark_resumes(axes, clock, size)
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


def draw_workers(tasks: list[Task], clock: DriverClock, canvas: Canvas) -> Picture:
    """Draw what each worker did over time, coloured by app."""
    apps = list(dict.fromkeys(t.app for t in tasks))
    colours = dict(zip(apps, itertools.cycle(style.APP_COLOURS)))
    first = {t.worker: t.started for t in reversed(tasks)}
    role = {t.worker: t.role for t in reversed(tasks)}
    workers = sorted(first, key=lambda w: (clock.count(first[w]), role[w], w))
    hidden = max(0, len(workers) - MAX_WORKERS)
    workers = workers[:MAX_WORKERS]
    unit, size = _time_unit(clock.offsets[-1])
    gap = clock.offsets[-1] / 3000
    rows = []
    height = 1.25 + 0.3 * len(workers)
    with canvas.axes((style.WIDE_INCH, height)) as (figure, axes):
        for app, (row, worker) in itertools.product(apps, enumerate(workers)):
            spans = [
                (clock.read(t.started), clock.read(t.ended))
                for t in tasks
                if t.app == app and t.worker == worker
            ]
            # neighbours closer than a pixel are one bar, or a page holds thousands
            bars = [
                (a / size, max(b - a - gap, gap) / size)
                for a, b in merge((a, b + gap) for a, b in spans)
            ]
            if bars:
                axes.broken_barh(bars, (row - 0.36, 0.72), color=colours[app], lw=0)
                rows += [[worker, app, a * size, (a + w) * size] for a, w in bars]
        for app in apps:
            axes.barh([0], [0], color=colours[app], label=app.replace("_", " "))
        _mark_resumes(axes, clock, size)
        labels = [f"{role[w]} · {w.rsplit(':', 1)[-1]}" for w in workers]
        axes.set_yticks(range(len(workers)), labels)
        axes.set_ylim(len(workers) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(0, clock.offsets[-1] / size)
        axes.set_xlabel(f"time since the start, {unit}")
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1), ncols=min(len(apps), 5),
            borderaxespad=0.2, handlelength=1, columnspacing=1.4,
        )  # fmt: skip
        more = f" {hidden} more workers are not shown." if hidden else ""
        return canvas.keep(
            figure,
            "workers",
            caption="Were the workers busy? One row a worker process (role and process "
            f"number), coloured by app; white is idle.{more}",
            alt="Timeline of the tasks of every worker",
            numbers={"columns": ["worker", "app", "start_s", "end_s"], "rows": rows},
            wide=True,
        )


def idle_table(
    stages: list[StageIdle], orchestration: float | None, order: list[str]
) -> Table:
    """Tabulate how much of the workers' time was idle, per stage."""
    place = {name: i for i, name in enumerate(order)}
    rows = [
        [
            Cell(s.stage.replace("_", " ")),
            Cell(str(len(s.busy_seconds))),
            Cell(words.duration(s.seconds)),
            Cell(words.percent(s.idle_share)),
        ]
        for s in sorted(stages, key=lambda s: place.get(s.stage, len(place)))
    ]
    return Table(
        "Idle share of the workers that took part in each stage, from its first task "
        "to its last. Time of the drivers outside all task bodies (orchestration): "
        f"{words.percent(orchestration)}.",
        ["Stage", "Workers", "First to last task", "Idle"],
        rows,
    )


def _mark_resumes(axes: Any, clock: DriverClock, size: float) -> None:
    for at in clock.resumes:
        axes.axvline(at / size, color=style.QUIET, lw=1, ls=":")


def _time_unit(seconds: float) -> tuple[str, float]:
    if seconds > 3 * 3600:
        return "h", 3600.0
    return ("min", 60.0) if seconds > 180 else ("s", 1.0)
