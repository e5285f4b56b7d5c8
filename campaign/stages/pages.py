"""The report of a campaign that learns force fields: its pages and their parts.

Each part is imported only when a page is written.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from campaign.layout.protein_dir import ProteinDir

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from campaign.report.build import Part
    from campaign.report.kit.top import Verdict
    from campaign.report.parts.learnt_source import LearntSource

log = logging.getLogger(__name__)


def sources(run_dir: Path) -> Sequence[LearntSource]:
    """Return what the pages are drawn from: of each protein, and of the whole."""
    from campaign.report.parts.learnt_source import LearntSource

    paths = ProteinDir.at(run_dir)
    others = [home for home in paths.each_protein() if home.protein != paths.protein]
    return [LearntSource(home) for home in [*others, paths]]


def parts(source: LearntSource) -> Mapping[str, Part]:
    """Return the parts of a page in order."""
    from campaign.report.parts.judged.page_densities import densities
    from campaign.report.parts.judged.page_experiments import experiments
    from campaign.report.parts.judged.page_proteins import proteins
    from campaign.report.parts.judged.page_published import published
    from campaign.report.parts.judged.page_scores import scores
    from campaign.report.parts.judged.page_stability import stability
    from campaign.report.parts.learning.page_prior import prior
    from campaign.report.parts.learning.page_training import training
    from campaign.report.parts.run.page_campaign import what_was_run
    from campaign.report.parts.run.page_ran import how_it_ran
    from campaign.report.parts.we.page_ensemble import weighted_ensemble
    from campaign.report.parts.written.page_methods import methods

    one_of_several = source.paths.protein is not None
    all_of_several = not one_of_several and bool(source.paths.proteins)
    learns = not (all_of_several if source.paths.learns_each else one_of_several)
    kinds = {source.declared[stage].kind for stage in source.stages}
    sampled = not all_of_several and (not kinds or "sample" in kinds)
    asked = any((source.config.get("experiments") or {}).values())
    found: list[tuple[str, Part, bool]] = [
        ("Proteins", proteins, all_of_several),
        ("Scores", scores, not all_of_several),
        ("Beside the thesis", published, _is_published(source)),
        ("Experiments", experiments, asked and not one_of_several),
        ("What was run", what_was_run, True),
        ("The weighted-ensemble run", weighted_ensemble, sampled),
        ("Prior and force map", prior, not all_of_several),
        ("Training", training, learns),
        ("Densities and maps", densities, not all_of_several),
        ("Stability and structures", stability, not all_of_several),
        ("How it ran", how_it_ran, not one_of_several),
        ("Methods", methods, not one_of_several),
    ]
    return {name: part for name, part, belongs in found if belongs}


def verdict(source: LearntSource) -> Verdict:
    """Return the top of a page."""
    from campaign.report.parts.judged.page_proteins import judge_proteins
    from campaign.report.parts.judged.verdict import give_verdict

    several = source.paths.protein is None and source.paths.proteins
    return judge_proteins(source) if several else give_verdict(source)


def _is_published(source: LearntSource) -> bool:
    """Say whether a protein of this page is in the thesis's table; a fault says no."""
    from campaign.report.parts.judged.page_published import list_judged

    if source.paths.protein is not None:
        return False
    try:
        return bool(list_judged(source))
    except Exception:
        log.warning("report: the thesis's table cannot be compared", exc_info=True)
        return False
