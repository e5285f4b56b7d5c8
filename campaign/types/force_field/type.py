"""From proteins to benchmarked coarse-grained force fields, weighted and not.

Sampling by weighted ensemble, learning targets on beads, models trained side by side
(with the WE weights and without, or as the campaign's experiments ask), each judged by
a WE run of its own dynamics against plain MD.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from campaign.context import Context, StageFuture
from campaign.declared import Stage
from campaign.stages.closing import (
    compare_experiments,
    declare_closing,
    report,
)
from campaign.stages.feature_check import check_beads, check_pcoord
from campaign.stages.learning import LearningStages, Learnt, declare_learning
from campaign.stages.learning_config import LEARNING_READ_BY
from campaign.stages.pages import parts, sources, verdict
from campaign.types.force_field.config import Config
from campaign.types.force_field.judging import BenchmarkStages, declare_benchmark
from campaign.types.force_field.presets import preset_keys, read_preset, say_preset
from campaign.types.force_field.protein import group_proteins, list_proteins
from campaign.types.force_field.sampling import SamplingStages, declare_sampling
from campaign.types.force_field.work import list_work, shrink

__all__ = [
    "READ_BY", "Config", "check", "describe", "list_work", "parts",
    "preset_keys", "read_preset", "run", "say_preset", "shrink", "sources", "stages",
    "verdict",
]  # fmt: skip

READ_BY = {
    "preset": [],
    "seed": ["prepare"], "system": ["prepare"], "proteins": ["prepare", "prior"],
    "mapping": ["prepare"],
    "learn": ["prior", "dataset", "train"],
    "reference": ["reference"], "reference.lineage_block_ps": ["tica"],
    "tica": ["tica"],
    "sample": ["sample"], "sample.platform": ["reference"],
    "sample.weight_cutoff": ["ingest"], "sample.equilibrium": ["ingest"],
    "sample.segments_per_block": [], "sample.blocks_per_worker": [],
    "sample.failures.lost": [], "sample.failures.other": [],
    "sample.failures.out_of_memory": [],
    **LEARNING_READ_BY,
    "benchmark": ["benchmark"],
    "benchmark.segments_per_block": [], "benchmark.blocks_per_worker": [],
    "benchmark.failures.lost": [], "benchmark.failures.other": [],
    "benchmark.failures.out_of_memory": [],
}  # fmt: skip
"""The first stages that a setting goes into; all that comes after follows from them.

None: what a preset sets is read as if it were written, and how many tasks work at a
time changes no figure.
"""


def stages(config: Config) -> Sequence[Stage]:
    """Return the stages of a campaign in the order they are shown."""
    return (
        *(stage for name in config.systems for stage in declare_sampling(name)),
        *(
            stage for group in group_proteins(Path(), config)
            for stage in declare_learning(config, group[0].paths)
        ),
        *(
            declare_benchmark(variant, name)
            for variant in config.variants for name in config.systems
        ),
        *declare_closing(config.experiments.asked),
    )  # fmt: skip


def check(config: Config) -> None:
    """Refuse what cannot work before anything is queued."""
    describe(config)
    for name, system in config.systems.items():
        check_beads(config, system, f"proteins.{name}" if name else "The protein")
        check_pcoord(config.sample.pcoord, system, config.mapping)


def describe(config: Config) -> dict[str | None, dict[str, str]]:
    """Return what is simulated of each protein, headings and sentences."""
    from apps.science.systems.check import check_system

    return {name: check_system(system) for name, system in config.systems.items()}


def run(ctx: Context) -> None:
    """Submit the chain; the DAG's edges are the futures handed on."""
    config = cast(Config, ctx.config)
    proteins = list_proteins(ctx.paths.root, config)

    sampling: dict[str | None, SamplingStages] = {}
    ready: dict[str | None, StageFuture] = {}
    for protein in proteins:
        one = sampling[protein.name] = SamplingStages(ctx, config, protein)
        prepared = one.prepare()
        reference = one.reference(after=[prepared])
        ready[protein.name] = one.tica(after=[prepared, reference])

    learnt: dict[tuple[str, str | None], Learnt] = {}
    trained: dict[tuple[str, str | None], StageFuture] = {}
    for group in group_proteins(ctx.paths.root, config):
        names = [protein.name for protein in group]
        ingested = [sampling[name].sample(after=[ready[name]]) for name in names]
        kelvin = group[0].system.temperature_kelvin
        learning = LearningStages(ctx, config, [p.paths for p in group], kelvin)
        for variant in config.variants:
            prior = learning.prior(variant, after=ingested)
            dataset = learning.dataset(variant, after=[prior])
            model = learning.train(variant, after=[dataset])
            for name in names:
                learnt[variant.name, name] = learning.learnt[variant.name]
                trained[variant.name, name] = model

    judged = [
        BenchmarkStages(ctx, config, protein).benchmark(
            variant,
            learnt[variant.name, protein.name],
            after=[trained[variant.name, protein.name]],
        )
        for variant in config.variants
        for protein in proteins
    ]
    if config.experiments.asked:
        homes = [protein.paths for protein in proteins]
        judged = [compare_experiments(ctx, config.variants, homes, after=judged)]
    report(ctx, after=judged)
