"""From proteins to benchmarked coarse-grained force fields, weighted and not.

Sampling by weighted ensemble, learning targets on beads, models trained side by side
(with the WE weights and without, or as the campaign's experiments ask), each judged by
a WE run of its own dynamics against plain MD.
"""

from collections.abc import Sequence
from typing import cast

from campaign.context import Context
from campaign.declared import Stage
from campaign.types._benchmark_stages import BenchmarkStages, declare_benchmark
from campaign.types._closing_stages import (
    compare_experiments,
    declare_closing,
    report,
)
from campaign.types._feature_check import check_beads, check_pcoord
from campaign.types._force_field_config import Config
from campaign.types._force_field_work import list_work, shrink
from campaign.types._learning_config import LEARNING_READ_BY
from campaign.types._learning_stages import LearningStages, declare_learning
from campaign.types._pages import parts, sources, verdict
from campaign.types._presets import preset_keys, read_preset, say_preset
from campaign.types._protein import list_proteins
from campaign.types._sampling_stages import SamplingStages, declare_sampling

__all__ = [
    "READ_BY", "Config", "check", "describe", "list_work", "parts",
    "preset_keys", "read_preset", "run", "say_preset", "shrink", "sources", "stages",
    "verdict",
]  # fmt: skip

READ_BY = {
    "preset": [],
    "seed": ["prepare"], "system": ["prepare"], "proteins": ["prepare", "prior"],
    "mapping": ["prepare"],
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
        *declare_learning(config),
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
    from apps.science.systems.config import check_system

    return {name: check_system(system) for name, system in config.systems.items()}


def run(ctx: Context) -> None:
    """Submit the chain; the DAG's edges are the futures handed on."""
    config = cast(Config, ctx.config)
    proteins = list_proteins(ctx, config)

    sampling = [SamplingStages(ctx, config, protein) for protein in proteins]
    ready = []
    for one in sampling:
        prepared = one.prepare()
        reference = one.reference(after=[prepared])
        ready.append(one.tica(after=[prepared, reference]))
    ingested = [
        one.sample(after=[tica]) for one, tica in zip(sampling, ready, strict=True)
    ]

    homes = [protein.paths for protein in proteins]
    kelvin = config.conditions.temperature_kelvin
    learning = LearningStages(ctx, config, homes, kelvin)
    trained = {}
    for variant in config.variants:
        prior = learning.prior(variant, after=ingested)
        dataset = learning.dataset(variant, after=[prior])
        trained[variant.name] = learning.train(variant, after=[dataset])

    judged = [
        BenchmarkStages(ctx, config, protein).benchmark(
            variant, learning.learnt[variant.name], after=[trained[variant.name]]
        )
        for variant in config.variants
        for protein in proteins
    ]
    if config.experiments.asked:
        judged = [compare_experiments(ctx, config.variants, homes, after=judged)]
    report(ctx, after=judged)
