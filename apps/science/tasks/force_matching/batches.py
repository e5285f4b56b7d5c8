"""Which frames of which proteins make a batch, alike on every process.

Frames are numbered through: those of the first protein, then of the second.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.seeds import derive_seed
from apps.science.tasks.force_matching.config import TrainingConfig
from apps.science.tasks.force_matching.data import order_batches


class Batches:
    """The batches of every epoch, decided by (seed, epoch) alone.

    Attributes
    ----------
    n_frames : training frames of all proteins
    n_batches : batches of an epoch
    """

    def __init__(
        self,
        counts: Sequence[int],
        config: TrainingConfig,
        seed: int,
        probability: Array | None,
    ) -> None:
        self._counts, self._config, self._seed = counts, config, seed
        self._probability = probability
        self._starts = np.concatenate([[0], np.cumsum(counts)])
        self.n_frames = int(self._starts[-1])
        self._apart = len(counts) > 1 and not config.mixed_batches
        sizes = counts if self._apart else [self.n_frames]
        self.n_batches = sum(-(-n // config.batch_size) for n in sizes)

    @property
    def mean_size(self) -> float:
        """Frames of a mean batch; dividing by it keeps the loss of an epoch unbiased.

        Where batches come from one protein each, their sizes differ.
        """
        return self.n_frames / self.n_batches

    def order(self, epoch: int) -> list[IntArray]:
        """Return the frame numbers of every batch."""
        size = self._config.batch_size
        if not self._apart:
            return order_batches(
                self.n_frames, size, self._seed, epoch, self._probability
            )
        rng = np.random.default_rng(derive_seed(self._seed, "batch order", epoch))
        if self._probability is None:
            batches = [
                batch + start
                for protein, (n, start) in enumerate(
                    zip(self._counts, self._starts, strict=False)
                )
                for batch in order_batches(
                    n, size, derive_seed(self._seed, "protein", protein), epoch
                )
            ]
            return [batches[i] for i in rng.permutation(len(batches))]
        return [self._draw(rng) for _ in range(self.n_batches)]

    def _draw(self, rng: np.random.Generator) -> IntArray:
        """Draw a batch by weight: first its protein, then its frames."""
        assert self._probability is not None
        cumulated = np.concatenate([[0.0], np.cumsum(self._probability)])
        shares = np.diff(cumulated[self._starts])
        protein = rng.choice(len(shares), p=shares / shares.sum())
        first, last = self._starts[protein], self._starts[protein + 1]
        p = self._probability[first:last]
        n = round(self.mean_size)
        drawn: IntArray = first + rng.choice(last - first, n, p=p / p.sum())
        return drawn

    def split(self, frames: IntArray) -> Iterator[tuple[int, IntArray, IntArray]]:
        """Yield each protein of a batch, where in it, and the rows of its own set."""
        protein = np.searchsorted(self._starts, frames, side="right") - 1
        for one in np.unique(protein):
            places = np.flatnonzero(protein == one)
            yield int(one), places, frames[places] - self._starts[one]
