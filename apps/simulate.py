"""Plain molecular dynamics and what is learnt from it."""

from pathlib import Path
from typing import Any, Literal

from parsl import python_app

from apps.roles import ANALYSIS, MD
from apps.task_log import logged


@python_app(executors=[MD])
@logged(MD)
def simulate_walk(
    system: Path, walk: int, n_ps: float, frame_interval_ps: float,
    seed: int, platform: str, out: Path, progress: Path, n_walks: int,
    stage: str = "reference", inputs: tuple[Any, ...] = (),
) -> Path:  # fmt: skip
    """Run one plain MD walk to ``out``; a killed walk continues at its last chunk."""
    from apps.science.benchmark.reference import run_walk

    return run_walk(
        system, walk, walk, n_ps, frame_interval_ps, seed, out,
        platform=platform, progress=progress, n_walks=n_walks,
    )  # fmt: skip


@python_app(executors=[ANALYSIS])
@logged(ANALYSIS)
def fit_reference_tica(
    walks: list[Path], mapping: Path, lag_ps: float,
    features: Literal["distances", "dihedrals"], lineage_block_ps: float,
    frames: Path, model: Path,
    stage: str = "tica", inputs: tuple[Any, ...] = (),
) -> Path:  # fmt: skip
    """Collect the walks' bead frames and fit the TICA model on them."""
    from apps.science.benchmark.reference import collect_reference, fit_tica_on_walks

    collect_reference(walks, mapping, frames, lineage_block_ps)
    return fit_tica_on_walks(walks, mapping, lag_ps, features, model)
