"""Equilibrium weights in segments.h5: ``weight_eq``, beside the raw ``weight``.

(n_frames,) float64, summing to 1 over the store. Its attributes are the provenance
(``EquilibriumWeights.provenance``), ``features`` (what was clustered),
``tolerated_distance`` and ``last_iter``, the iteration that it reaches to. Where none
could be estimated, the store's attribute ``weight_eq_absent`` says why.

A store is never changed: what is added is written to a copy that takes its place.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from apps.science.arrays import Array
from apps.science.errors import DataError
from apps.science.hdf5 import atomic_hdf5
from apps.science.segments.equilibrium import (
    EquilibriumConfig,
    EquilibriumWeights,
    estimate_equilibrium_weights,
)
from apps.science.segments.store import open_store

NAME = "weight_eq"
ABSENT = "weight_eq_absent"
RECYCLED = "the run has targets, so it has a steady state and no equilibrium."
_ROWS_PER_BATCH = 4096


def write_equilibrium_weights(
    segments: Path,
    compute_features: Callable[[Array], Array],
    config: EquilibriumConfig | None = None,
    seed: int = 0,
    features: str = "pcoord",
) -> EquilibriumWeights:
    """Estimate the weights of every frame in ``segments`` and store them there.

    Safe to run twice: weights of before are replaced.

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
    asked = config or EquilibriumConfig()
    with _replace(segments) as h5:
        dataset = h5.create_dataset(
            NAME, data=found.weight, maxshape=(None,), chunks=(4096,)
        )
        dataset.attrs.update(found.provenance)
        dataset.attrs.update({"features": features, "last_iter": last_iter})
        dataset.attrs["tolerated_distance"] = asked.tolerated_distance
    return found


def note_absence(segments: Path, why: str) -> None:
    """Note why a store has no equilibrium weights; those it had are left out."""
    with _replace(segments) as h5:
        h5.attrs[ABSENT] = why


def explain_absence(h5: h5py.File) -> str:
    """Return why an open store has no equilibrium weights, in a sentence."""
    noted = str(h5.attrs.get(ABSENT, ""))
    if noted:
        return noted
    if ((h5["parent"][:] < 0) & (h5["n_iter"][:] > 1)).any():
        return RECYCLED
    if NAME in h5:
        return (
            f"those of segments.h5 reach to iteration {h5[NAME].attrs['last_iter']} of "
            f"{h5.attrs['last_iter']}."
        )
    return "none were estimated."


@contextmanager
def _replace(segments: Path) -> Iterator[Any]:
    """Open a copy of a store, without equilibrium weights, that takes its place."""
    open_store(segments).close()  # of our schema, and whole
    with atomic_hdf5(segments, begin_from=segments) as h5:
        if NAME in h5:
            del h5[NAME]
        h5.attrs.pop(ABSENT, None)
        yield h5


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
                f"{segments} has no equilibrium weights: {explain_absence(h5)} "
                "Estimate them first."
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
        raise DataError(
            "The store holds no frames: no iteration is closed, or the weight_cutoff "
            "leaves none. Sample on, or lower sample.weight_cutoff."
        )
    columns = {
        name: h5[name][:] for name in ("weight", "n_iter", "seg_id", "frame", "parent")
    }
    return estimate_equilibrium_weights(
        np.concatenate(batches), **columns, config=config, seed=seed
    )
