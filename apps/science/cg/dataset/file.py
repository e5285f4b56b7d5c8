"""The file of a training set: names, layout, opening and checking.

Schema ``weft-dataset-2`` (HDF5). ``/meta`` attributes: schema, units,
temperature_kelvin, kB_kcal_per_mol_K, embedding_map (JSON), weights (``raw`` or
``equilibrium``: which ones training reads), and where all molecules share them beads,
force_map, prior_sha256, split_by.

``/mol/<id>/``, one for each protein: z, resid, bonds, mass (N beads); pos, force_cg,
force_prior, delta (F, N, 3) float32, Angstrom and kcal/mol/Angstrom, in chunks of about
256 KiB without a filter, so that rows are read in place (rows.py); weight (F)
float64, raw WE weights; weight_eq (F), where the run has equilibrium weights, with
their provenance as attributes; n_iter, seg_id, frame, parent, root (F); split (F): 0
train, 1 validation; mapping_json and prior_yaml, the texts it was made with.
Attributes: sequence, n_frames, n_source_frames, discarded_mass, burn_in_iterations,
weight_cutoff, beads, force_map, temperature_kelvin, prior_sha256, split_by, digest
(sha256 of what training reads), weight_eq_absent (why there are none).
"""

import hashlib
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, Literal

import h5py
import numpy as np

from apps.science.arrays import Array
from apps.science.errors import DataError, WeightError
from apps.science.hdf5 import atomic_hdf5

SCHEMA: Final = "weft-dataset-2"
FORMER: Final = "weft-dataset-1"
"""One molecule, raw weights, no texts; otherwise alike."""
VECTORS: Final = ("pos", "force_cg", "force_prior", "delta")
UNITS: Final = "Angstrom, kcal/mol/Angstrom, amu, K"
Weights = Literal["raw", "equilibrium"]
WEIGHT_OF: Final[dict[str, str]] = {"raw": "weight", "equilibrium": "weight_eq"}
SHARED: Final = ("beads", "force_map", "prior_sha256", "split_by")
"""Attributes of molecules that ``/meta`` repeats where all agree."""
REMEDY: Final = "Move it away and resume the run: it is written again."
_CHUNK_BYTES: Final = 1 << 18
_ALIGNMENT: Final = 4096
_ROWS_PER_READ: Final = 1 << 14


def create_file(path: Path) -> AbstractContextManager[h5py.File]:
    """Open a new file whose chunks lie where rows can be read in place.

    It appears at ``path`` when it is whole; see ``atomic_hdf5``.
    """
    return atomic_hdf5(
        path, alignment_threshold=_ALIGNMENT, alignment_interval=_ALIGNMENT
    )


def create_vectors(group: Any, n_frames: int, n_beads: int) -> None:
    """Create pos, force_cg, force_prior and delta, chunked, to be filled in order."""
    rows = max(1, min(n_frames, _CHUNK_BYTES // (n_beads * 12)))
    for name in VECTORS:
        group.create_dataset(
            name, (n_frames, n_beads, 3), "f4", chunks=(rows, n_beads, 3)
        )


class VectorWriter:
    """Fills the vectors of a molecule in order, a whole chunk at a time.

    Chunks go to the file as they are, past the library's cache: half the time.

    Parameters
    ----------
    group : of the molecule, with its vectors created and empty
    digest : takes in what is written
    """

    def __init__(self, group: Any, digest: "ContentDigest") -> None:
        self._datasets = {name: group[name] for name in VECTORS}
        self._digest = digest
        some = self._datasets[VECTORS[0]]
        self._n_frames: int = some.shape[0]
        self._written = 0
        self._held = {name: np.zeros(some.chunks, "<f4") for name in VECTORS}

    def add(self, values: dict[str, Array]) -> None:
        """Append frames, (n, n_beads, 3) of each vector."""
        n, done = len(values[VECTORS[0]]), 0
        while done < n:
            size = len(self._held[VECTORS[0]])
            at = self._written % size
            step = min(size - at, n - done)
            for name, held in self._held.items():
                held[at : at + step] = values[name][done : done + step]
                self._digest.add(name, held[at : at + step])
            self._written += step
            done += step
            if at + step == size or self._written == self._n_frames:
                self._flush((self._written - 1) // size * size)

    def _flush(self, first: int) -> None:
        for name, dataset in self._datasets.items():
            # rows beyond the last frame are written too, and never read
            dataset.id.write_direct_chunk((first, 0, 0), self._held[name].tobytes())


def open_dataset(path: Path) -> h5py.File:
    """Open a training set for reading; any number of ranks may.

    Raises
    ------
    DataError
        If it is missing, damaged, or of another schema.
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist. Run the dataset stage first.")
    try:
        h5 = h5py.File(path, "r", locking=False)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}). {REMEDY}") from None
    found = h5["meta"].attrs.get("schema") if "meta" in h5 else h5.attrs.get("schema")
    if found not in (SCHEMA, FORMER):
        h5.close()
        raise DataError(
            f"{path} has schema {found!r}; expected {SCHEMA!r}. It is another file, or "
            f"of another version. {REMEDY}"
        )
    return h5


def read_weights_kind(h5: h5py.File) -> Weights:
    """Return which weights a set says it is to be trained with."""
    return "equilibrium" if h5["meta"].attrs.get("weights") == "equilibrium" else "raw"


def read_weight(group: Any, key: str, path: Path, kind: Weights) -> Array:
    """Return the weights of a molecule that training is to use, (n_frames,).

    Raises
    ------
    WeightError
        If there are none of this kind, saying why, or they cannot be weights.
    """
    name = WEIGHT_OF[kind]
    if name not in group:
        why = str(group.attrs.get("weight_eq_absent", "")) or "none were estimated."
        raise WeightError(
            f"{path} has no equilibrium weights for {key}: {why} Use dataset.weights: "
            "raw, or make them and write the dataset again."
        )
    weight: Array = group[name][:]
    if not np.isfinite(weight).all() or (len(weight) and weight.min() < 0):
        raise WeightError(
            f"The {kind} weights of {key} in {path} run from {np.min(weight):g} to "
            f"{np.max(weight):g}; expected none below zero. It was altered. {REMEDY}"
        )
    return weight


def read_text(group: Any, name: str) -> str:
    """Return a stored text, empty where there is none."""
    return str(group[name].asstr()[()]) if name in group else ""


class ContentDigest:
    """The sha256 of what training reads of a molecule, taken as it is written."""

    NAMES: Final = ("pos", "delta", "weight", "weight_eq", "split")

    def __init__(self) -> None:
        self._parts = {name: hashlib.sha256() for name in self.NAMES}

    def add(self, name: str, values: np.ndarray) -> None:
        """Take in the next rows of ``name``."""
        if name in self._parts:
            self._parts[name].update(np.ascontiguousarray(values).data)

    def hexdigest(self) -> str:
        """Return the sha256 of the parts' own."""
        each = [part.hexdigest() for part in self._parts.values()]
        return hashlib.sha256(" ".join(each).encode()).hexdigest()


def digest_molecule(group: Any) -> str:
    """Return the digest that a molecule carries, or take it of one of before."""
    if "digest" in group.attrs:
        return str(group.attrs["digest"])
    digest = ContentDigest()
    for name in ContentDigest.NAMES:
        if name in group:
            for first in range(0, len(group[name]), _ROWS_PER_READ):
                digest.add(name, group[name][first : first + _ROWS_PER_READ])
    return digest.hexdigest()
