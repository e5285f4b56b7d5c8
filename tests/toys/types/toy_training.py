"""A campaign type for tests: one training, on data that are at hand."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast

from apps.roles import TRAIN
from campaign.context import Context
from campaign.declared import Stage
from campaign.layout.protein_dir import ProteinDir
from campaign.stages.learning import LearningStages
from campaign.types.force_field import config as force_field

__all__ = ["Config", "check", "run", "stages"]

DATASET_VARIABLE = "WEFT_TEST_DATASET"


class Config(force_field.Config):
    type: Literal["toy_training"] = "toy_training"  # type: ignore[assignment]


def stages(config: Config) -> Sequence[Stage]:
    return [Stage("train_weighted", "train", "train", TRAIN)]


def check(config: Config) -> None:
    pass


def run(ctx: Context) -> None:
    paths = ProteinDir(ctx.paths.root)
    paths.dataset.parent.mkdir(exist_ok=True)
    dataset = Path(os.environ[DATASET_VARIABLE])
    shutil.copyfile(dataset, paths.dataset)
    shutil.copyfile(dataset.with_name(paths.prior.name), paths.prior)
    config = cast(Config, ctx.config)
    learning = LearningStages(ctx, config, [paths], 300.0)
    learning.train(config.variants[0], after=[]).result()
