"""Write the page to look at: everything a run has so far, in one offline HTML file."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from apps.science.errors import WeftError
from apps.science.files import write_text
from campaign.campaign_type import CampaignType, load_type
from campaign.layout.run_dir import RunDir
from campaign.report.kit.blocks import Note, Section
from campaign.report.kit.canvas import Canvas
from campaign.report.kit.sources import RunSource
from campaign.report.kit.top import Verdict, say_state

log = logging.getLogger(__name__)

Part = Callable[[Any, Canvas], Section]
"""Draws what it is handed: the source of the page, as its type makes it."""


def write_report(run_dir: Path) -> Path:
    """Write report/index.html of a run and return its path.

    Can be called at any time: a part whose stage has not run says so. Each figure is
    also kept as report/figures/<name>.png with its numbers in <name>.json. A type
    may have several pages.
    """
    source = RunSource(RunDir.around(run_dir))
    kind = _load_type(source)
    sources = kind.sources(run_dir) if kind and kind.sources else [source]
    return [_write_page(source, kind) for source in sources][-1]


def _write_page(source: RunSource, kind: CampaignType | None) -> Path:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    paths = source.paths
    canvas = Canvas(paths.report.parent / "figures", source.colours)
    parts = _parts(source, kind)
    sections = [_draw(name, part, source, canvas) for name, part in parts.items()]
    here = Path(__file__).with_name("kit")
    environment = Environment(
        loader=FileSystemLoader(here), autoescape=True, undefined=StrictUndefined
    )
    verdict = _judge(source, kind)
    now = datetime.now().astimezone()
    page = environment.get_template("page.html").render(
        title=verdict.title,
        subtitle=f"{paths.name} · {now:%d %B %Y, %H:%M}",
        css=_raw((here / "page.css").read_text(encoding="utf-8")),
        verdict=verdict,
        sections=sections,
        footer=f"Written by weft {_version()} from the files of {paths.name}/ on "
        f"{now:%Y-%m-%d %H:%M %Z}. Every figure lies beside this page as PNG, its "
        "numbers as JSON, in figures/.",
    )
    write_text(paths.report, page)
    log.info("report: %s", paths.report)
    return paths.report


def _parts(source: RunSource, kind: CampaignType | None) -> Mapping[str, Part]:
    """Return the parts of a page in order; each file is imported only here."""
    if kind and kind.parts:
        return kind.parts(source)
    from campaign.report.parts.run.page_campaign import what_was_run
    from campaign.report.parts.run.page_ran import how_it_ran

    return {"What was run": what_was_run, "How it ran": how_it_ran}


def _load_type(source: RunSource) -> CampaignType | None:
    """Return the type of a run; None where it is not said, or cannot be had."""
    named = source.config.get("type")
    if named is None:
        return None
    try:
        return load_type(str(named))
    except WeftError as error:
        log.warning("report: it says only what every run can: %s", error)
        return None


def _draw(name: str, part: Part, source: RunSource, canvas: Canvas) -> Section:
    """Draw one part; what goes wrong in it must not take the page with it."""
    try:
        return part(source, canvas)
    except Exception as error:
        log.warning("report: the part %r failed", name, exc_info=True)
        note = Note(
            f"This part could not be drawn: {type(error).__name__}: {error}", "missing"
        )
        slug = name.lower().replace(" ", "-")
        return Section(slug, name, "Not answered this time.", [note])


def _judge(source: RunSource, kind: CampaignType | None) -> Verdict:
    """Return the top of the page, a bare one where it cannot be worked out."""
    try:
        give = kind.verdict if kind and kind.verdict else say_state
        return give(source)
    except Exception as error:
        log.warning("report: the verdict failed", exc_info=True)
        note = Note(f"No verdict: {type(error).__name__}: {error}", "missing")
        return Verdict(source.paths.name, "There is no verdict yet.", [note])


def _raw(css: str) -> str:
    from markupsafe import Markup

    return Markup(css)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("weft")
    except PackageNotFoundError:
        return "(not installed)"
