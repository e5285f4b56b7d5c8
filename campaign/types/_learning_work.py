"""What learning a force field takes, wherever its frames come from."""

from pathlib import Path

from apps.roles import ANALYSIS, TRAIN
from campaign.estimate.work import Work
from campaign.layout import RunDir
from campaign.types._learning_config import LearningConfig
from campaign.types._learning_stages import learning_stage_names

_BEAD_IN_DATASET = 72
"""Positions, forces of atoms, prior and difference, twice where frames are shared."""
_CHECKPOINTS, _CHECKPOINT = 4, 4_000_000


def list_learning(config: LearningConfig, n_frames: int, n_beads: int) -> list[Work]:
    """Return the stages from the first prior to the last training.

    Parameters
    ----------
    n_frames : that are learnt from, at most
    n_beads : of the largest protein
    """
    names = learning_stage_names(config, RunDir(Path()))
    epochs = {f"train_{v.name}": v.training.n_epochs for v in config.variants}
    works = []
    for stage in names:
        if stage in epochs:
            amount = float(n_frames * epochs[stage])
            n_bytes = _CHECKPOINTS * _CHECKPOINT
            works.append(
                Work(stage, TRAIN, amount, "frames learnt", 1, 1, n_bytes=n_bytes)
            )
        else:
            n_bytes = n_frames * n_beads * _BEAD_IN_DATASET
            kept = n_bytes if stage.startswith("dataset") else 0
            works.append(
                Work(stage, ANALYSIS, n_frames, "frames", 1, 1, n_bytes=kept)
            )
    return works
