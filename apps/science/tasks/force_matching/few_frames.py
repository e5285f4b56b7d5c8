"""Whether a training set is small for the model that learns from it."""

from collections.abc import Sequence
from typing import Final

from torch import Tensor

from apps.science.statistics import effective_sample_size
from apps.science.tasks.force_matching.config import TrainingConfig
from apps.science.tasks.force_matching.data import Protein
from apps.science.tasks.force_matching.loss import shape_weights

_FEWEST: Final = 1.0
"""Numbers known for each weight of a network; see docs/training.md."""


def describe_few_frames(
    proteins: Sequence[Protein], config: TrainingConfig, weights: Sequence[Tensor]
) -> str:
    """Return a warning where forces know fewer numbers than a network has weights.

    A frame knows three for each bead; where weights of the ensemble count, frames are
    so many as the effective sample size says.

    Parameters
    ----------
    weights : the trainable ones of the network
    """
    n_weights = sum(w.numel() for w in weights)
    n_known = n_frames = 0.0
    for protein in proteins:
        n = effective_sample_size(shape_weights(protein.train.weight, config))
        n_frames += n
        n_known += 3 * len(protein.embeddings) * n
    if n_known >= _FEWEST * n_weights:
        return ""
    kind = "effective frames" if config.weighted else "frames"
    return (
        f"The set is small for this model: {n_frames:,.0f} {kind} know {n_known:,.0f} "
        f"components of forces, and the network has {n_weights:,} weights. Expect it "
        "to learn its frames by heart; sample longer, or take a smaller model."
    )
