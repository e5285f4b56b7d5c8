"""Force errors of frames, in training and on the frames that validate."""

import math
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import torch
from torch import Tensor

from apps.science.arrays import IntArray
from apps.science.learning.ranks import Ranks
from apps.science.models.potentials.network import Network
from apps.science.tasks.force_matching.config import TrainingConfig
from apps.science.tasks.force_matching.data import Protein, TrainingData
from apps.science.tasks.force_matching.loss import (
    predict_forces,
    protein_shares,
    squared_errors,
)
from apps.science.tasks.force_matching.noise import Noise, draw_normal

COLUMNS: Final = ("val_loss_weighted", "val_loss_unweighted")
"""(kcal/mol/Angstrom)^2 per component of a force.

Several proteins add a column ``val_loss_<name>`` each, weighted as the loss is.
"""
_VALIDATION_BATCH: Final = 512


def frame_errors(
    network: Network,
    protein: Protein,
    split: Literal["train", "validation"],
    rows: IntArray,
    mine: IntArray,
    noise: Noise | None,
    draw: tuple[int, str, int, int, int],
) -> Tensor:
    """Return the squared error of frames, (len(mine),), (kcal/mol/Angstrom)^2.

    Parameters
    ----------
    rows : frames of one protein that all processes work on together
    mine : places in ``rows`` of this process
    draw : seed, purpose and counters of the noise of ``rows``
    """
    frames = protein.train if split == "train" else protein.validation
    positions, targets = frames.read(rows[mine])
    if noise is not None:
        shape = (len(rows), *positions.shape[1:])
        normal = draw_normal(shape, mine, *draw).to(positions.device)
        positions, targets = noise.displace(positions, targets, normal)
    forces = predict_forces(
        network, positions, protein.embeddings, protein.sequence, split == "train"
    )
    return squared_errors(forces, targets)


def validate(
    network: Network,
    data: TrainingData,
    noise: Sequence[Noise | None],
    config: TrainingConfig,
    ranks: Ranks,
    seed: int,
    most_frames: int | None = None,
) -> dict[str, float]:
    """Return the losses on the frames that validate, by column of metrics.csv.

    Over all proteins, weighted and not, and where there are several, of each. Not a
    number where no frame validates.

    Parameters
    ----------
    most_frames : of each protein; None for all
    """
    sums = torch.zeros(
        (len(data.proteins), 4), dtype=torch.float64, device=ranks.device
    )
    for number, protein in enumerate(data.proteins):
        sums[number] = _sum_errors(
            network, protein, noise[number], ranks, seed, number, most_frames
        )
    return _join(data, config, ranks.sum(sums).cpu().numpy())


def _sum_errors(
    network: Network,
    protein: Protein,
    noise: Noise | None,
    ranks: Ranks,
    seed: int,
    number: int,
    most_frames: int | None,
) -> Tensor:
    """Return sums of w * error, w, error and one over this process's frames."""
    frames = protein.validation
    sums = torch.zeros(4, dtype=torch.float64, device=ranks.device)
    weight = torch.as_tensor(frames.weight, device=ranks.device)
    last = len(frames) if most_frames is None else min(len(frames), most_frames)
    for start in range(0, last, _VALIDATION_BATCH):
        rows = np.arange(start, min(start + _VALIDATION_BATCH, last))
        mine = ranks.share(len(rows))
        if not len(mine):
            continue
        # The noise is the same in every epoch, so that losses can be compared.
        errors = frame_errors(
            network, protein, "validation", rows, mine, noise,
            (seed, "validation noise", 0, start, number),
        ).double()  # fmt: skip
        w = weight[torch.as_tensor(rows[mine])]
        sums += torch.stack(
            [(w * errors).sum(), w.sum(), errors.sum(), torch.ones_like(errors).sum()]
        )
    return sums


def _join(
    data: TrainingData, config: TrainingConfig, sums: np.ndarray
) -> dict[str, float]:
    with np.errstate(invalid="ignore", divide="ignore"):
        weighted, unweighted = sums[:, 0] / sums[:, 1], sums[:, 2] / sums[:, 3]
    counts = [len(protein.validation) for protein in data.proteins]
    shares = protein_shares(counts, config)
    seen, found = shares > 0, dict.fromkeys(COLUMNS, math.nan)
    if seen.any():
        both = (shares[seen] @ weighted[seen], shares[seen] @ unweighted[seen])
        found = dict(zip(COLUMNS, map(float, both), strict=True))
    if len(sums) > 1:
        own = weighted if config.weighted else unweighted
        for protein, loss in zip(data.proteins, own, strict=True):
            found[f"val_loss_{protein.key}"] = float(loss)
    return found
