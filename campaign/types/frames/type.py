"""Learn a force field from frames with forces that were made elsewhere.

A model is trained on them (called weighted: frames count by their weights, all alike
where there are none; or several, as the experiments ask) and judged by its own plain
dynamics, many replicas packed, against the same frames.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, Self, cast

from pydantic import Field, model_validator

from apps.roles import MD
from apps.science.cg.dataset.own_frames import NATIVE
from apps.science.cg.dataset.own_frames_check import check_length, check_own_frames
from apps.science.cg.dataset.own_frames_config import OwnFramesConfig
from apps.science.config_base import DeviceName, StrictConfig
from apps.science.seeds import derive_seed
from apps.science.systems.info import PROTEIN_PDB
from apps.science.units import FS_PER_PS, count_whole
from campaign.context import Context, StageFuture
from campaign.declared import Stage
from campaign.layout.protein_dir import ProteinDir
from campaign.stages.closing import (
    compare_experiments,
    declare_closing,
    report,
)
from campaign.stages.feature_check import check_count, check_joined, check_models
from campaign.stages.learning import (
    Futures,
    LearningStages,
    Learnt,
    declare_learning,
)
from campaign.stages.learning_config import (
    LEARNING_READ_BY,
    LearningConfig,
    check_kelvin,
    check_prior_kelvin,
)
from campaign.stages.pages import parts, sources, verdict
from campaign.stages.variants import Variant
from campaign.types.frames.work import list_work, shrink

__all__ = [
    "READ_BY", "Config", "check", "list_work", "parts", "run", "shrink", "sources",
    "stages", "verdict",
]  # fmt: skip

READ_BY = {
    "seed": ["prior"], "system": ["import"], "mapping": ["import"],
    "tica": ["import"],
    **LEARNING_READ_BY,
    "simulation": ["benchmark"],
}  # fmt: skip
"""The first stages that a setting goes into; all that comes after follows from them."""
_MOST_FRAMES: Final = 50_000_000


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

    @model_validator(mode="after")
    def _can_be_judged(self) -> Self:
        check_kelvin(self.system.temperature_kelvin, "system.temperature_kelvin")
        check_prior_kelvin(self, self.system.temperature_kelvin)
        asked = self.simulation
        step_ps = asked.timestep_fs / FS_PER_PS
        if count_whole(asked.frame_interval_ps, step_ps) is None:
            raise ValueError(
                f"simulation.frame_interval_ps {asked.frame_interval_ps:g} is no whole "
                f"number of steps of {asked.timestep_fs:g} fs. Make it a multiple."
            )
        n_frames = count_whole(asked.length_ps, asked.frame_interval_ps)
        if n_frames is None:
            raise ValueError(
                f"simulation.length_ps {asked.length_ps:g} is no whole number of "
                f"frames of {asked.frame_interval_ps:g} ps. Make it a multiple."
            )
        if n_frames * asked.n_replicas > _MOST_FRAMES:
            raise ValueError(
                f"simulation asks for {n_frames * asked.n_replicas:,} frames in all; "
                f"at most {_MOST_FRAMES:,} are possible. Save them farther apart."
            )
        return self

    @model_validator(mode="after")
    def _frames_are_one_iteration(self) -> Self:
        for variant in self.variants:
            named = f"the model {variant.name}: " if self.experiments.asked else ""
            if "equilibrium" in (variant.dataset.weights, variant.prior.weights):
                raise ValueError(
                    f"{named}weights: equilibrium are made of a weighted ensemble; own "
                    "frames have those of system.weights. Take raw."
                )
            if variant.dataset.burn_in_iterations:
                raise ValueError(
                    f"{named}dataset.burn_in_iterations leaves out iterations of a "
                    "weighted ensemble, and own frames are all of one. Leave it out."
                )
        return self


def stages(config: Config) -> Sequence[Stage]:
    """Return the stages of a campaign in the order they are shown."""
    return (
        Stage("import", brief="take the frames in, and find their slow coordinates"),
        *declare_learning(config, ProteinDir(Path())),
        *(declare_judging(variant) for variant in config.variants),
        *declare_closing(config.experiments.asked),
    )


def declare_judging(variant: Variant) -> Stage:
    """Return the stage that judges a model by plain dynamics."""
    folder = str(ProteinDir(Path()).benchmark(variant.name))
    return Stage(
        f"benchmark_{variant.name}", "benchmark",
        f"run the model {variant.name} and compare it with the frames", MD,
        of={"models": variant.name}, keeps=[folder],
    )  # fmt: skip


def check(config: Config) -> None:
    """Refuse what cannot work before anything is queued."""
    check_joined(config)
    beads = check_own_frames(config.system, config.mapping)
    named, where = f"{beads.kind} beads", config.system.topology.name
    check_count(beads.n_beads, named, config.tica, where, n_dim=1)
    check_models(config, beads.n_beads, named, where)
    check_length(config.system, config.tica.lag_ps)


def run(ctx: Context) -> None:
    """Submit the chain."""
    config = cast(Config, ctx.config)
    imported = import_own_frames(ctx, config)
    learning = LearningStages(
        ctx, config, [ProteinDir(ctx.paths.root)], config.system.temperature_kelvin
    )
    judged = []
    for variant in config.variants:
        prior = learning.prior(variant, after=[imported])
        dataset = learning.dataset(variant, after=[prior])
        trained = learning.train(variant, after=[dataset])
        learnt = learning.learnt[variant.name]
        judged.append(judge(ctx, config, variant, learnt, after=[trained]))
    if config.experiments.asked:
        judged = [
            compare_experiments(
                ctx, config.variants, [ProteinDir(ctx.paths.root)], after=judged
            )
        ]
    report(ctx, after=judged)


def import_own_frames(ctx: Context, config: Config) -> StageFuture:
    """Take the frames in: beads, weights, reference, slow coordinates."""
    from apps.own_frames import import_frames

    paths = ProteinDir(ctx.paths.root)

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

    paths, asked = ProteinDir(ctx.paths.root), config.simulation
    name = variant.name
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
    reads = [
        paths.checkpoint(name), learnt.prior, paths.reference_frames, paths.mapping,
        paths.tica, *([native] if native else []),
    ]  # fmt: skip
    return ctx.stage(stage, outputs, submit, after, reads=reads)
