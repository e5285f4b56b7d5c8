"""From a protein to a benchmarked coarse-grained force field, weighted and not.

Sampling by weighted ensemble, learning targets on beads, two models trained side by
side (with the WE weights and without), each judged by a WE run of its own dynamics
against plain MD.
"""

from collections.abc import Sequence

from campaign.context import Context, StageFuture
from campaign.types._force_field_config import MODELS, Config
from campaign.types._force_field_stages import Stages

__all__ = ["Config", "check", "run", "stage_names"]


def stage_names(config: Config) -> Sequence[str]:
    """Return the stages of a campaign in the order they are shown."""
    return (
        "prepare", "reference", "tica", "sample", "ingest", "prior", "dataset",
        *(f"train_{model}" for model in MODELS),
        *(f"benchmark_{model}" for model in MODELS),
        "report",
    )  # fmt: skip


def check(config: Config) -> None:
    """Refuse what cannot work before anything is queued."""
    from apps.science.systems.config import check_system

    check_system(config.system)


def run(ctx: Context) -> None:
    """Submit the chain; the DAG's edges are the futures handed on."""
    stages = Stages(ctx)
    prepared = stages.prepare()
    reference = stages.reference(after=[prepared])
    tica = stages.tica(after=[prepared, reference])
    ingested = stages.sample(after=[tica])
    prior = stages.prior(after=[ingested])
    dataset = stages.dataset(after=[prior])
    trained = [stages.train(model, after=[dataset]) for model in MODELS]
    judged: list[StageFuture] = [
        stages.benchmark(model, after=[model_done])
        for model, model_done in zip(MODELS, trained, strict=True)
    ]
    stages.report(after=judged)
