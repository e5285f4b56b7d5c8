"""Learn a force field from frames with forces that were made elsewhere.

A model is trained on them and judged by its own plain dynamics, many replicas packed,
against the same frames.
"""

import json
from collections.abc import Sequence
from typing import Literal, cast

from pydantic import Field

from apps.science.cg.dataset.own_frames import OwnFramesConfig, check_own_frames
from apps.science.config_base import StrictConfig
from campaign.context import Context, StageFuture
from campaign.types._force_field_stages import Futures, Stages
from campaign.types._learning_config import LearningConfig

__all__ = ["Config", "check", "run", "stage_names"]

MODEL = "weighted"
"""Its folder's name: frames count by their weights, all alike where there are none."""


class SimulationConfig(StrictConfig):
    """The dynamics by which the model is judged."""

    n_replicas: int = Field(100, gt=0, description="Replicas, from as many frames.")
    length_ps: float = Field(200.0, gt=0, description="Length of each.")
    frame_interval_ps: float = Field(1.0, gt=0, description="Between saved frames.")
    timestep_fs: float = Field(2.0, gt=0, description="Step of CG dynamics.")
    friction_per_ps: float = Field(1.0, gt=0, description="Langevin friction.")
    burn_in_fraction: float = Field(
        0.25, ge=0, lt=1, description="Share of each replica left out at its start."
    )
    n_bootstrap: int = Field(
        200, gt=1, description="Bootstrap samples behind each interval."
    )
    device: str = Field("auto", description="cpu, cuda, or auto.")


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
        "import", "prior", "dataset", f"train_{MODEL}", f"benchmark_{MODEL}", "report",
    )  # fmt: skip


def check(config: Config) -> None:
    """Refuse what cannot work before anything is queued."""
    check_own_frames(config.system)


def run(ctx: Context) -> None:
    """Submit the chain."""
    stages = FrameStages(ctx)
    imported = stages.import_frames()
    prior = stages.prior(after=[imported])
    dataset = stages.dataset(after=[prior])
    trained = stages.train(MODEL, after=[dataset])
    stages.report(after=[stages.judge(after=[trained])])


class FrameStages(Stages):
    """The stages of a force-field campaign, but for how frames come and go."""

    def import_frames(self) -> StageFuture:
        """Take the frames in: beads, weights, reference, slow coordinates."""
        from apps.own_frames import import_frames

        paths, config = self.paths, cast(Config, self.ctx.config)

        def submit(after: Futures) -> Futures:
            return [
                import_frames(
                    config.system.model_dump_json(), config.mapping.model_dump_json(),
                    config.tica.lag_ps, config.tica.features, paths.system,
                    paths.mapping, paths.segments, paths.reference_frames, paths.tica,
                )
            ]  # fmt: skip

        outputs = [paths.mapping, paths.segments, paths.reference_frames, paths.tica]
        return self.ctx.stage("import", outputs, submit)

    def judge(self, after: Sequence[StageFuture]) -> StageFuture:
        """Run the model and compare it with the frames."""
        from apps.own_frames import judge_by_dynamics

        paths, config = self.paths, cast(Config, self.ctx.config)
        folder, asked = paths.benchmark(MODEL), config.simulation
        settings = json.dumps({
            "n_ps": asked.length_ps,
            "seed": self._seed("simulation") % 2**31,
            **asked.model_dump(include={
                "n_replicas", "frame_interval_ps", "timestep_fs", "friction_per_ps",
                "device",
            }),
        })  # fmt: skip

        def submit(after: Futures) -> Futures:
            return [
                judge_by_dynamics(
                    paths.checkpoint(MODEL), paths.prior, paths.reference_frames,
                    paths.mapping, paths.tica, config.system.temperature_kelvin,
                    settings, asked.burn_in_fraction, asked.n_bootstrap, folder,
                    stage=f"benchmark_{MODEL}", inputs=after,
                )
            ]  # fmt: skip

        outputs = [folder / n for n in ("metrics.json", "densities.npz")]
        return self.ctx.stage(f"benchmark_{MODEL}", outputs, submit, after)
