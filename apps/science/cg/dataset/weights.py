"""The weights of a training set: raw, and equilibrium where there are any; ESS."""

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from apps.science.arrays import Array
from apps.science.cg.dataset.file import ContentDigest, Weights
from apps.science.errors import DataError, WeightError
from apps.science.segments.equilibrium_store import (
    ABSENT,
    NAME,
    explain_absence,
    read_equilibrium_weights,
)
from apps.science.segments.store import open_store
from apps.science.statistics import effective_sample_size

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EquilibriumColumn:
    """Equilibrium weights of frames, or why there are none.

    Attributes
    ----------
    weight : (n_frames,), or None
    provenance : how they came about
    absent : why there are none
    """

    weight: Array | None
    provenance: dict[str, Any] = field(default_factory=dict)
    absent: str = ""

    def take(self, rows: np.ndarray) -> "EquilibriumColumn":
        """Return the weights of some rows."""
        return self if self.weight is None else replace(self, weight=self.weight[rows])

    @property
    def has_relaxed(self) -> bool:
        """Whether raw and equilibrium probabilities agree as well as was asked."""
        distance = float(self.provenance.get("distance", 0.0))
        return distance <= float(self.provenance.get("tolerated_distance", 0.1))

    def write(self, group: Any, digest: ContentDigest) -> None:
        """Write them to a molecule, or why there are none."""
        if self.weight is None:
            group.attrs[ABSENT] = self.absent
            return
        dataset = group.create_dataset(NAME, data=self.weight)
        dataset.attrs.update(self.provenance)
        digest.add(NAME, self.weight)


def read_equilibrium(segments: Path, required: bool) -> EquilibriumColumn:
    """Read the equilibrium weights of a store, if it has any of all its frames.

    Raises
    ------
    WeightError
        If they are required and there are none.
    """
    try:
        weight = read_equilibrium_weights(segments)
    except DataError:
        with open_store(segments) as h5:
            why = explain_absence(h5)
        if required:
            raise WeightError(
                f"dataset.weights is equilibrium, but {segments} has no equilibrium "
                f"weights: {why} Use dataset.weights: raw, or run longer without "
                "targets."
            ) from None
        return EquilibriumColumn(None, absent=why)
    with open_store(segments) as h5:
        return EquilibriumColumn(weight, dict(h5[NAME].attrs))


def report(raw: Array, equilibrium: EquilibriumColumn, used: Weights) -> None:
    """Say how many frames the weights are worth, and warn of an unrelaxed ensemble.

    Raises
    ------
    WeightError
        If equilibrium weights are used and all of them are zero.
    """
    shares = {"raw": raw}
    if equilibrium.weight is not None:
        shares["equilibrium"] = equilibrium.weight
    for name, weight in shares.items():
        total = weight.sum()
        if not total > 0:
            if name == used:
                raise WeightError(
                    f"No frame that is kept has an {name} weight above zero. Lower "
                    "dataset.weight_cutoff or dataset.burn_in_iterations."
                )
            continue
        _log.info(
            "dataset: %s weights%s: ESS %.1f of %d frames, largest share %.3g",
            name, " (used)" if name == used else "", effective_sample_size(weight),
            len(weight), weight.max() / total,
        )  # fmt: skip
    if used == "raw" and equilibrium.weight is not None and not equilibrium.has_relaxed:
        _log.warning(
            "the ensemble has not relaxed: raw and equilibrium probabilities differ by "
            "up to %.2f, and the raw weights are used; take dataset.weights: "
            "equilibrium, or run longer",
            equilibrium.provenance["distance"],
        )
