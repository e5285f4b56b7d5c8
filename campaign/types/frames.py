"""Learn a force field from frames with forces that were made elsewhere.

A model is trained on them (called weighted: frames count by their weights, all alike
where there are none; or several, as the experiments ask) and judged by its own plain
dynamics, many replicas packed, against the same frames.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast

from pydantic import Field

from apps.science.cg.dataset.own_frames import (
    NATIVE,
    OwnFramesConfig,
    check_own_frames,
)
from apps.science.config_base import DeviceName, StrictConfig
from apps.science.seeds import derive_seed
from apps.science.systems.info import PROTEIN_PDB
from campaign.context import Context, StageFuture
from campaign.layout import RunDir
from campaign.types._closing_stages import compare_experiments, report
from campaign.types._experiments import Variant
from campaign.types._feature_check import check_count, check_joined
from campaign.types._learning_config import LEARNING_READ_BY, LearningConfig
from campaign.types._learning_stages import (
    Futures,
    LearningStages,
    Learnt,
    learning_stage_names,
)

__all__ = ["KEEPS", "READ_BY", "Config", "check", "run", "stage_names"]

READ_BY = {
    "seed": ["prior"], "system": ["import"], "mapping": ["import"],
    "tica": ["import"],
    **LEARNING_READ_BY,
    "simulation": ["benchmark"],
}  # fmt: skip
"""The first stages that a setting goes into; all that comes after follows from them."""

KEEPS = {"train": "models/{model}", "benchmark": "benchmark/{model}"}
"""Where a stage goes on from, which does not fit other settings."""


class SimulationConfig(StrictConfig):
    """The dynamics by which the model is judged."""

    n_replicas: int = Field(
        100, gt=0, le=100_000, description="Replicas, from as many frames."
    )
    length_ps: float = Field(200.0, gt=0, le=1e9, description="Length of each.")
    frame_interval_ps: float = Field(
        1.0, gt=0, le=1e9, description="Between saved frames."
    )
    timestep_fs: float = Field(2.0, gt=0, le=20, description="Step of CG dynamics.")
    friction_per_ps: float = Field(1.0, gt=0, le=1000, description="Langevin friction.")
    burn_in_fraction: float = Field(
        0.25, ge=0, lt=1, description="Share of each replica left out at its start."
    )
    n_bootstrap: int = Field(
        200, gt=1, le=100_000, description="Bootstrap samples behind each interval."
    )
    device: DeviceName = Field("auto", description="cpu, cuda, or auto.")


class Config(LearningConfig):
    """A campaign that learns from given frames."""

    type: Literal["frames"] = "frames"
    system: OwnFramesConfig = Field(description="The frames and what they are of.")
    simulation: SimulationConfig = Field(
        default_factory=SimulationConfig, description="How the model is judged."
    )


def stage_names(config: Config) -> Sequence[str]:
    """Return the stages of a campaign in the order they are shown."""
    return (
        "import", *learning_stage_names(config, RunDir(Path())),
        *(f"benchmark_{variant.name}" for variant in config.variants),
        *(["experiments"] if config.experiments.asked else []), "report",
    )  # fmt: skip


def check(config: Config) -> None:
    """Refuse what cannot work before anything is queued."""
    check_joined(config)
    beads = check_own_frames(config.system, config.mapping)
    check_count(
        beads.n_beads, f"{beads.kind} beads", config.tica, config.system.topology.name,
        n_dim=1,
    )  # fmt: skip


def run(ctx: Context) -> None:
    """Submit the chain."""
    config = cast(Config, ctx.config)
    imported = import_own_frames(ctx, config)
    learning = LearningStages(
        ctx, config, [ctx.paths], config.system.temperature_kelvin
    )
    judged = []
    for variant in config.variants:
        prior = learning.prior(variant, after=[imported])
        dataset = learning.dataset(variant, after=[prior])
        trained = learning.train(variant, after=[dataset])
        learnt = learning.learnt[variant.name]
        judged.append(judge(ctx, config, variant, learnt, after=[trained]))
    if config.experiments.asked:
        judged = [compare_experiments(ctx, config.variants, [ctx.paths], after=judged)]
    report(ctx, after=judged)


def import_own_frames(ctx: Context, config: Config) -> StageFuture:
    """Take the frames in: beads, weights, reference, slow coordinates."""
    from apps.own_frames import import_frames

    paths = ctx.paths

    def submit(after: Futures) -> Futures:
        return [
            import_frames(
                config.system.model_dump_json(), config.mapping.model_dump_json(),
                config.tica.lag_ps, config.tica.features, paths.system,
                paths.mapping, paths.segments, paths.reference_frames, paths.tica,
            )
        ]  # fmt: skip

    outputs = [
        paths.mapping, paths.segments, paths.reference_frames, paths.tica,
        paths.system / PROTEIN_PDB,
        *([paths.system / NATIVE] if config.system.structure else []),
    ]  # fmt: skip
    return ctx.stage("import", outputs, submit)


def judge(
    ctx: Context,
    config: Config,
    variant: Variant,
    learnt: Learnt,
    after: Sequence[StageFuture],
) -> StageFuture:
    """Run a model and compare it with the frames."""
    from apps.own_frames import judge_by_dynamics

    paths, asked, name = ctx.paths, config.simulation, variant.name
    native = paths.system / NATIVE if config.system.structure else None
    folder, stage = paths.benchmark(name), f"benchmark_{name}"
    settings = json.dumps({
        "n_ps": asked.length_ps,
        "seed": derive_seed(config.seed, "simulation") % 2**31,
        **asked.model_dump(include={
            "n_replicas", "frame_interval_ps", "timestep_fs", "friction_per_ps",
            "device",
        }),
    })  # fmt: skip

    def submit(after: Futures) -> Futures:
        return [
            judge_by_dynamics(
                paths.checkpoint(name), learnt.prior, paths.reference_frames,
                paths.mapping, paths.tica, config.system.temperature_kelvin,
                settings, asked.burn_in_fraction, asked.n_bootstrap, native, folder,
                stage=stage, inputs=after,
            )
        ]  # fmt: skip

    names = ("frames.h5", "metrics.json", "densities.npz")
    outputs = [folder / n for n in names]
    return ctx.stage(stage, outputs, submit, after)
