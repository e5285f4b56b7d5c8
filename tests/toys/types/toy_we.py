"""A campaign type for tests: one WE run of a toy, whose blocks last about a second."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from apps.roles import MD
from apps.science.we.config import WEConfig
from apps.science.we.spec import PropagationSpec
from campaign.config import CampaignConfig
from campaign.context import Context
from campaign.declared import Stage
from campaign.stages.we import WERun, drive_we

__all__ = ["Config", "check", "run", "stages"]

STEPS_PER_SECOND = 60_000  # of one segment, roughly


class Config(CampaignConfig):
    segment_seconds: float = Field(0.4, gt=0)
    sample: WEConfig


def stages(config: Config) -> Sequence[Stage]:
    return [Stage("sample", brief="sample a toy", role=MD, we="we")]


def check(config: Config) -> None:
    pass


def run(ctx: Context) -> None:
    config = ctx.config
    folder = ctx.paths.root / "we"
    starts = ctx.paths.root / "starts.npz"
    position = np.array([[[-1.0, 0.0, 0.0]]])
    np.savez(starts, positions=position, velocities=np.zeros_like(position))
    n_steps = 10 * round(STEPS_PER_SECOND * config.segment_seconds / 10)
    steps = {"n_steps": n_steps, "n_steps_per_frame": n_steps // 10}
    toy = {"kind": "outside_toy"} | steps
    spec = PropagationSpec(config.seed, toy, {"kind": "cartesian"}, str(starts))
    we = WERun("sample", folder, config.sample, spec, 10, ["left"], [1.0])
    outputs: list[Path] = [folder / "west.h5"]
    ctx.drive("sample", outputs, lambda: drive_we(ctx, we))
