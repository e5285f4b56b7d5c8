"""Write the page to look at: everything a run has so far, in one offline HTML file."""

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from apps.science.files import write_text
from campaign.layout import RunDir
from campaign.report.blocks import Note, Section
from campaign.report.canvas import Canvas
from campaign.report.sources import RunSource
from campaign.stage_names import read_stage

if TYPE_CHECKING:
    from campaign.report.verdict import Verdict

log = logging.getLogger(__name__)

Part = Callable[[RunSource, Canvas], Section]


def write_report(run_dir: Path) -> Path:
    """Write report/index.html of a run and return its path.

    Can be called at any time: a part whose stage has not run says so. Each figure is
    also kept as report/figures/<name>.png with its numbers in <name>.json. A campaign
    of several proteins has a page of each as well, to which its own leads.
    """
    paths = RunDir.at(run_dir)
    for home in paths.each_protein():
        if home.protein != paths.protein:
            _write_page(home)
    return _write_page(paths)


def _write_page(paths: RunDir) -> Path:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    source = RunSource(paths)
    canvas = Canvas(paths.report.parent / "figures", source.models)
    parts = _parts(source)
    sections = [_draw(name, part, source, canvas) for name, part in parts.items()]
    here = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(here), autoescape=True, undefined=StrictUndefined
    )
    verdict = _judge(source)
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


def _parts(source: RunSource) -> dict[str, Part]:
    """Return the parts of the page in order; each file is imported only here."""
    from campaign.report.page_campaign import what_was_run
    from campaign.report.page_densities import densities
    from campaign.report.page_ensemble import weighted_ensemble
    from campaign.report.page_experiments import experiments
    from campaign.report.page_methods import methods
    from campaign.report.page_prior import prior
    from campaign.report.page_proteins import proteins
    from campaign.report.page_published import published
    from campaign.report.page_ran import how_it_ran
    from campaign.report.page_scores import scores
    from campaign.report.page_stability import stability
    from campaign.report.page_training import training

    one_of_several = source.paths.protein is not None
    all_of_several = not one_of_several and bool(source.paths.proteins)
    kinds = {read_stage(stage).kind for stage in source.stages}
    sampled = not all_of_several and (not kinds or "sample" in kinds)
    asked = any((source.config.get("experiments") or {}).values())
    parts: list[tuple[str, Part, bool]] = [
        ("Proteins", proteins, all_of_several),
        ("Scores", scores, not all_of_several),
        ("Beside the thesis", published, _is_published(source)),
        ("Experiments", experiments, asked and not one_of_several),
        ("What was run", what_was_run, True),
        ("The weighted-ensemble run", weighted_ensemble, sampled),
        ("Prior and force map", prior, not all_of_several),
        ("Training", training, not one_of_several),
        ("Densities and maps", densities, not all_of_several),
        ("Stability and structures", stability, not all_of_several),
        ("How it ran", how_it_ran, not one_of_several),
        ("Methods", methods, not one_of_several),
    ]
    return {name: part for name, part, belongs in parts if belongs}


def _is_published(source: RunSource) -> bool:
    """Say whether a protein of this page is in the thesis's table; a fault says no."""
    from campaign.report.page_published import list_judged

    if source.paths.protein is not None:
        return False
    try:
        return bool(list_judged(source))
    except Exception:
        log.warning("report: the thesis's table cannot be compared", exc_info=True)
        return False


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


def _judge(source: RunSource) -> "Verdict":
    """Return the top of the page, a bare one where it cannot be worked out."""
    from campaign.report.page_proteins import judge_proteins
    from campaign.report.verdict import Verdict, give_verdict

    several = source.paths.protein is None and source.paths.proteins
    try:
        return judge_proteins(source) if several else give_verdict(source)
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
