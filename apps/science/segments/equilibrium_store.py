"""Equilibrium weights in segments.h5: ``weight_eq``, beside the raw ``weight``.

(n_frames,) float64, summing to 1 over the store. Its attributes are the provenance
(``EquilibriumWeights.provenance``), ``features`` (what was clustered) and
``last_iter``, the iteration that it reaches to.
"""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from apps.science.arrays import Array
from apps.science.errors import DataError
from apps.science.segments.equilibrium import (
    EquilibriumConfig,
    EquilibriumWeights,
    estimate_equilibrium_weights,
)
from apps.science.segments.store import open_store

NAME = "weight_eq"
_ROWS_PER_BATCH = 4096


def write_equilibrium_weights(
    segments: Path,
    compute_features: Callable[[Array], Array],
    config: EquilibriumConfig | None = None,
    seed: int = 0,
    features: str = "pcoord",
) -> EquilibriumWeights:
    """Estimate the weights of every frame in ``segments`` and store them there.

    Safe to run twice: weights of before are replaced. A kill while writing leaves the
    store marked as half written, and ``ingest`` makes it anew from its shards.

    Parameters
    ----------
    compute_features : (n, n_atoms, 3), Angstrom, to (n, n_features); a progress
        coordinate's ``compute`` serves
    features : their name, for the provenance

    Raises
    ------
    ConfigError
        If there are too few transitions.
    DataError
        If walkers were recycled, or the store is missing or of another schema.
    """
    with open_store(segments) as h5:
        found = _estimate(h5, compute_features, config, seed)
        last_iter = int(h5.attrs["last_iter"])
    with open_store(segments, "r+") as h5:
        h5.attrs["half_written"] = last_iter
        h5.flush()
        if NAME in h5:
            del h5[NAME]
        dataset = h5.create_dataset(
            NAME, data=found.weight, maxshape=(None,), chunks=(4096,)
        )
        dataset.attrs.update(found.provenance)
        dataset.attrs.update({"features": features, "last_iter": last_iter})
        h5.flush()
        h5.attrs["half_written"] = 0
    return found


def read_equilibrium_weights(segments: Path) -> Array:
    """Return ``weight_eq``, (n_frames,).

    Raises
    ------
    DataError
        If there is none, or iterations were ingested since.
    """
    with open_store(segments) as h5:
        if NAME not in h5:
            raise DataError(
                f"{segments} has no equilibrium weights. Estimate them first."
            )
        reached, last = int(h5[NAME].attrs["last_iter"]), int(h5.attrs["last_iter"])
        if reached != last:
            raise DataError(
                f"The equilibrium weights of {segments} reach to iteration {reached} "
                f"of {last}. Estimate them again."
            )
        weight: Array = h5[NAME][:]
    return weight


def _estimate(
    h5: h5py.File,
    compute_features: Callable[[Array], Array],
    config: EquilibriumConfig | None,
    seed: int,
) -> EquilibriumWeights:
    n_frames = len(h5["weight"])
    batches = [
        compute_features(h5["positions"][first : first + _ROWS_PER_BATCH])
        for first in range(0, n_frames, _ROWS_PER_BATCH)
    ]
    if not batches:
        raise DataError("The store holds no frames. Ingest a closed iteration first.")
    columns = {
        name: h5[name][:] for name in ("weight", "n_iter", "seg_id", "frame", "parent")
    }
    return estimate_equilibrium_weights(
        np.concatenate(batches), **columns, config=config, seed=seed
    )
