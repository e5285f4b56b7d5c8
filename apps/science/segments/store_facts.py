"""What is in a segments.h5, in numbers, without reading a frame."""

from pathlib import Path
from typing import Any

import numpy as np

from apps.science.files import hash_file
from apps.science.segments.equilibrium_store import NAME, explain_absence
from apps.science.segments.sharded import WHERE, places_of
from apps.science.segments.store import open_store
from apps.science.segments.weight_facts import describe_equilibrium, describe_weights


def describe_store(path: Path) -> dict[str, Any]:
    """Return the contents of a store as what JSON can hold.

    Raises
    ------
    DataError
        If it is missing, damaged, of another schema, or lacks shards.
    """
    with open_store(path) as h5:
        weight, n_iter = h5["weight"][:], h5["n_iter"][:]
        lost = h5["discarded_mass"][:] if "discarded_mass" in h5 else np.zeros(0)
        facts: dict[str, Any] = {
            "kind": "segments",
            "path": str(path),
            "size_bytes": path.stat().st_size,
            "sha256": hash_file(path),
            "schema": str(h5.attrs["schema"]),
            "units": str(h5.attrs["units"]),
            "n_atoms": int(h5.attrs["n_atoms"]),
            "n_frames": len(weight),
            "n_segments": len(np.unique(n_iter.astype("i8") << 32 | h5["seg_id"][:])),
            "first_iter": int(n_iter.min()) if len(n_iter) else 0,
            "last_iter": int(h5.attrs["last_iter"]),
            "n_lineages": len(np.unique(h5["root"][:])) if "root" in h5 else None,
            "discarded_mass": float(lost.max(initial=0.0)),
            "raw": describe_weights(weight),
        }
        if NAME in h5:
            facts["equilibrium"] = describe_equilibrium(h5[NAME])
        else:
            facts["equilibrium_absent"] = explain_absence(h5)
        if WHERE in h5:
            places = places_of(h5)
            sizes = [(places.folder / p).stat().st_size for p in places.paths]
            facts["shards"] = {"n": len(sizes), "size_bytes": sum(sizes)}
    return facts
