"""What learning a force field takes, wherever its frames come from."""

from typing import Any, Final

from apps.roles import ANALYSIS, TRAIN
from apps.science.tasks.force_matching.config import TrainingConfig
from campaign.estimate.work import MINUTES, Work
from campaign.layout.protein_dir import ProteinDir
from campaign.stages.learning import declare_learning
from campaign.stages.learning_config import LearningConfig

_BEAD_IN_DATASET = 72
"""Positions, forces of atoms, prior and difference, twice where frames are shared."""
_CHECKPOINTS, _CHECKPOINT = 4, 4_000_000
_FEW_EPOCHS: Final = 2


def list_learning(
    config: LearningConfig, n_frames: int, n_beads: int, paths: ProteinDir
) -> list[Work]:
    """Return the stages from the first prior to the last training.

    Parameters
    ----------
    n_frames : that are learnt from, at most
    n_beads : of the largest protein
    """
    trainings = {v.name: v.training for v in config.variants}
    works = []
    for stage in declare_learning(config, paths):
        if stage.kind == "train":
            asked = trainings[stage.of["models"]]
            works.append(_train(stage.name, asked, n_frames))
        else:
            n_bytes = n_frames * n_beads * _BEAD_IN_DATASET
            kept = n_bytes if stage.kind == "dataset" else 0
            works.append(
                Work(stage.name, ANALYSIS, n_frames, "frames", 1, 1, n_bytes=kept)
            )
    return works


def shrink_training(config: LearningConfig) -> dict[str, Any]:
    """Return how a miniature trains: two epochs, from which a frame's time is known."""
    asked = config.training.n_epochs or _FEW_EPOCHS
    return {"n_epochs": min(_FEW_EPOCHS, asked), "budget_minutes": None}


def _train(stage: str, asked: TrainingConfig, n_frames: int) -> Work:
    n_bytes = _CHECKPOINTS * _CHECKPOINT
    minutes = asked.budget_minutes or 0.0
    if asked.n_epochs is None:
        return Work(
            stage, TRAIN, minutes, MINUTES, 1, 1, n_bytes=n_bytes, limit_s=60 * minutes
        )
    return Work(
        stage, TRAIN, float(n_frames * asked.n_epochs), "frames learnt", 1, 1,
        n_bytes=n_bytes, limit_s=60 * minutes,
    )  # fmt: skip
