"""What is in a training set, in numbers, without reading a frame."""

from pathlib import Path
from typing import Any

import numpy as np

from apps.science.cg.dataset.file import open_dataset, read_weights_kind
from apps.science.cg.dataset.split import VALIDATION
from apps.science.files import hash_file
from apps.science.segments.equilibrium_store import ABSENT, NAME
from apps.science.segments.weight_facts import describe_equilibrium, describe_weights

_FACTS = (
    "sequence", "beads", "force_map", "temperature_kelvin", "prior_sha256", "split_by",
    "burn_in_iterations", "weight_cutoff", "discarded_mass", "n_source_frames",
    "digest",
)  # fmt: skip


def describe_dataset(path: Path) -> dict[str, Any]:
    """Return the contents of a training set as what JSON can hold.

    Raises
    ------
    DataError
        If it is missing, damaged or of another schema.
    """
    with open_dataset(path) as h5:
        meta = dict(h5["meta"].attrs)
        return {
            "kind": "dataset",
            "path": str(path),
            "size_bytes": path.stat().st_size,
            "sha256": hash_file(path),
            "schema": str(meta["schema"]),
            "units": str(meta["units"]),
            "weights": read_weights_kind(h5),
            "proteins": [
                _describe_molecule(key, group, meta)
                for key, group in sorted(h5["mol"].items())
            ],
        }


def _describe_molecule(key: str, group: Any, meta: dict[str, Any]) -> dict[str, Any]:
    said = {**meta, **group.attrs}
    n_iter, split = group["n_iter"][:], group["split"][:]
    facts: dict[str, Any] = {
        "name": key,
        "n_beads": len(group["z"]),
        "n_frames": len(split),
        "n_train": int((split != VALIDATION).sum()),
        "n_validation": int((split == VALIDATION).sum()),
        "first_iter": int(n_iter.min()) if len(n_iter) else 0,
        "last_iter": int(n_iter.max(initial=0)),
        "n_lineages": len(np.unique(group["root"][:])),
        "raw": describe_weights(group["weight"][:]),
    }
    for name in _FACTS:
        value: Any = said.get(name)
        plain = value.item() if hasattr(value, "item") else value
        facts[name] = None if plain != plain else plain  # noqa: PLR0124  # NaN
    if NAME in group:
        facts["equilibrium"] = describe_equilibrium(group[NAME])
    else:
        facts["equilibrium_absent"] = str(
            said.get(ABSENT, "the set was written before they were stored.")
        )
    return facts
