"""The force-matching loss with weighted-ensemble weights.

L = mean over the batch of c_i |dF_i - f(x_i)|^2 / (3 n), c_i = N w_i / sum_train w.
The normalisation is global, so the loss is unbiased at any batch size; normalising
inside a batch of one would be exactly the unweighted loss. Weights of different
proteins have no common scale, so they are normalised within each.
"""

import logging
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from apps.science.arrays import Array
from apps.science.errors import WeightError
from apps.science.models.potentials.network import Network
from apps.science.statistics import effective_sample_size
from apps.science.tasks.force_matching.config import TrainingConfig

_log = logging.getLogger(__name__)


def shape_weights(weight: Array, config: TrainingConfig) -> Array:
    """Return the weights that training uses, (n_frames,), summing to one.

    Raises
    ------
    WeightError
        If none is above zero.
    """
    if not config.weighted:
        return np.full(len(weight), 1.0 / len(weight))
    if not weight.sum() > 0:
        raise WeightError(
            "No training frame has a weight above zero. Check the dataset's weights."
        )
    shaped: Array = np.asarray(weight, dtype=float) ** config.weight_exponent
    if config.weight_clip_quantile < 1.0:
        shaped = np.minimum(shaped, np.quantile(shaped, config.weight_clip_quantile))
    shaped /= shaped.sum()
    return shaped


def protein_shares(n_frames: Sequence[int], config: TrainingConfig) -> Array:
    """Return how much of the loss each protein makes up, (n_proteins,), sum one."""
    counts = np.asarray(n_frames, dtype=float)
    if config.protein_balance == "equal":
        counts = (counts > 0).astype(float)
    shares: Array = counts / max(counts.sum(), 1.0)
    return shares


def frame_factors(
    weights: Sequence[Array], config: TrainingConfig
) -> tuple[Array, Array | None]:
    """Return c_i of each training frame, mean one, and drawing probabilities or None.

    Frames that are drawn in proportion to their weight all count alike.

    Parameters
    ----------
    weights : of each protein, (n_frames of it,); frames are numbered in this order
    """
    shares = protein_shares([len(weight) for weight in weights], config)
    each = [shape_weights(weight, config) for weight in weights]
    if config.weighted:
        for before, after in zip(weights, each, strict=True):
            _log.info(
                "weights: %d frames, effective samples %.0f (%.0f before shaping), "
                "largest share %.3g", len(after), effective_sample_size(after),
                effective_sample_size(before), after.max(),
            )  # fmt: skip
    shaped = np.concatenate([s * w for s, w in zip(shares, each, strict=True)])
    if config.weighted and config.sampling == "weighted":
        return np.ones(len(shaped)), shaped
    return shaped * len(shaped), None


def squared_errors(predicted: Tensor, targets: Tensor) -> Tensor:
    """Return |dF - f|^2 / (3 n) of each frame, (n_frames,), (kcal/mol/Angstrom)^2."""
    return (predicted - targets).square().mean(dim=(1, 2))


def predict_forces(
    network: Network,
    positions: Tensor,
    embeddings: Tensor,
    sequence: Tensor | None,
    train: bool,
) -> Tensor:
    """Return the network's forces, differentiable by its parameters if training."""
    with torch.set_grad_enabled(train):
        _, forces = network.energy_and_forces(positions, embeddings, sequence)
    return forces
