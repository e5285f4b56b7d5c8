"""The one place that reads a training set, and the order its frames are drawn in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch import Tensor

from apps.science.arrays import Array, IntArray
from apps.science.cg.dataset import MOLECULE, SCHEMA
from apps.science.cg.dataset_split import VALIDATION
from apps.science.errors import DataError
from apps.science.seeds import derive_seed


@dataclass(frozen=True)
class FrameSet:
    """Frames of one split.

    Attributes
    ----------
    positions, targets : (n_frames, n_beads, 3), Angstrom and kcal/mol/Angstrom, float32
    weight : (n_frames,), float64, raw WE weights
    """

    positions: Tensor
    targets: Tensor
    weight: Array

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.positions)


@dataclass(frozen=True)
class TrainingData:
    """Everything that training reads, in memory.

    Attributes
    ----------
    embeddings : (n_beads,)
    """

    embeddings: Tensor
    train: FrameSet
    validation: FrameSet


def read_training_data(path: Path, device: str = "cpu") -> TrainingData:
    """Read dataset.h5 onto ``device``.

    Raises
    ------
    DataError
        If the file is missing, of another schema, or has no frame to train on.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist. Run the dataset stage first.")
    with h5py.File(path, "r", locking=False) as h5:
        found = h5["meta"].attrs.get("schema") if "meta" in h5 else None
        if found != SCHEMA:
            raise DataError(
                f"{path} has schema {found!r}; expected {SCHEMA!r}. "
                "Write the dataset again with this version."
            )
        group = h5[f"mol/{MOLECULE}"]
        split = group["split"][:]
        sets = [_read_set(group, rows, device)
                for rows in (split != VALIDATION, split == VALIDATION)]  # fmt: skip
        embeddings = torch.as_tensor(group["z"][:], device=device)
    if not len(sets[0]) or not sets[0].weight.sum() > 0:
        raise DataError(
            f"{path} has no training frame with a weight. Lower dataset.split_fraction "
            "or dataset.weight_cutoff."
        )
    return TrainingData(embeddings, *sets)


def _read_set(group: Any, rows: np.ndarray, device: str) -> FrameSet:
    return FrameSet(
        torch.as_tensor(group["pos"][:][rows], device=device),
        torch.as_tensor(group["delta"][:][rows], device=device),
        group["weight"][:][rows],
    )


def order_batches(
    n_frames: int,
    batch_size: int,
    seed: int,
    epoch: int,
    probability: Array | None = None,
) -> list[IntArray]:
    """Return the frame numbers of every batch of an epoch, alike on every process.

    The order depends on (seed, epoch) alone, so a resumed run draws the same frames.
    Batches differ in size by one at most: none is so small that its mean is noise.

    Parameters
    ----------
    probability : (n_frames,), to draw with replacement; None for each frame once
    """
    rng = np.random.default_rng(derive_seed(seed, "frame order", epoch))
    if probability is None:
        order = rng.permutation(n_frames)
    else:
        order = rng.choice(n_frames, n_frames, p=probability)
    return list(np.array_split(order, -(-n_frames // batch_size)))
