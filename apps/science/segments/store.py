"""segments.h5: every ingested frame of a WE run with its weight and lineage.

One row per frame in each dataset: ``positions`` and ``forces`` (n_frames, n_atoms,
3) float32; ``weight`` float64, the raw WE weight of its segment; ``n_iter``,
``seg_id``, ``frame``, ``parent`` (seg_id in the iteration before; negative for a
start), ``root`` (seg_id of its ancestor in iteration 1). Rows are ordered by
(n_iter, seg_id, frame). The attribute ``last_iter`` says how far ingestion came;
rows past the iterations it names are cut off before anything is appended.
"""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from apps.science.hdf5 import open_checked

SCHEMA = "weft-segments-1"
PER_FRAME = ("weight", "n_iter", "seg_id", "frame", "parent", "root")
_DTYPES = {"weight": "f8", "n_iter": "i4", "seg_id": "i8", "frame": "i2"}


def create_store(path: Path, n_atoms: int) -> None:
    """Create an empty store for ``n_atoms`` recorded atoms."""
    with h5py.File(path, "w") as h5:
        h5.attrs.update({"schema": SCHEMA, "n_atoms": n_atoms, "last_iter": 0})
        h5.attrs["units"] = "Angstrom, kcal/mol/Angstrom"
        chunk = max(1, min(256, (1 << 19) // (n_atoms * 12)))
        for name in ("positions", "forces"):
            h5.create_dataset(
                name, (0, n_atoms, 3), "f4", maxshape=(None, n_atoms, 3),
                chunks=(chunk, n_atoms, 3),
            )
        for name in PER_FRAME:
            h5.create_dataset(
                name, (0,), _DTYPES.get(name, "i8"), maxshape=(None,), chunks=(4096,)
            )


def open_store(path: Path, mode: str = "r") -> h5py.File:
    """Open a store, checking its schema.

    Raises
    ------
    DataError
        If the file is missing or of another schema.
    """
    return open_checked(path, SCHEMA, "Run the ingest stage (again).", mode)


def iterate_frames(
    path: Path, n_per_batch: int = 4096
) -> Iterator[dict[str, np.ndarray]]:
    """Yield batches of rows as a dict of arrays, in file order, bounded in memory."""
    with open_store(path) as h5:
        n = len(h5["weight"])
        for start in range(0, n, n_per_batch):
            rows = slice(start, min(n, start + n_per_batch))
            yield {
                name: h5[name][rows] for name in ("positions", "forces", *PER_FRAME)
            }
