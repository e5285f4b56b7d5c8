"""Native folds that weft ships, as internal coordinates (native_folds.json)."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("native_folds.json")

Column = tuple[float | None, ...]


@dataclass(frozen=True)
class Fold:
    """Internal coordinates of one chain, degrees, one value per residue.

    Attributes
    ----------
    phi, psi, omega : backbone torsions; ``omega`` is that of the peptide bond that
        leads into the residue; None at a chain end
    n_ca_c, ca_c_n, c_n_ca : bond angles; the last two at the bond that leads in
    chi : side-chain torsions from chi 1 on; a shorter tuple leaves the rest default
    """

    name: str
    source: str
    description: str
    sequence: str
    phi: Column
    psi: Column
    omega: Column
    n_ca_c: Column
    ca_c_n: Column
    c_n_ca: Column
    chi: tuple[tuple[float, ...], ...]


@cache
def _read_table() -> dict[str, Fold]:
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    folds = {}
    for name, entry in table["folds"].items():
        columns = {key: tuple(entry[key]) for key in table["columns"]}
        folds[name] = Fold(
            name=name,
            source=entry["source"],
            description=entry["description"],
            sequence=entry["sequence"],
            chi=tuple(tuple(angles) for angles in entry["chi"]),
            **columns,
        )
    return folds


def list_folds() -> list[str]:
    """Return the names of the folds that exist, sorted."""
    return sorted(_read_table())


def read_fold(name: str) -> Fold:
    """Return the fold ``name``; a KeyError where ``list_folds`` lacks it."""
    return _read_table()[name]
