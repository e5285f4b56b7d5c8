"""Torsions by the names that chemists give them: phi, psi 12, chi1 5."""

import re
from typing import Any, Final

from apps.science.errors import ConfigError

NAMES: Final = ("phi", "psi", "omega", "chi1", "chi2", "chi3", "chi4", "chi5")
_SPELT: Final = re.compile(rf"({'|'.join(NAMES)})(?: +(-?\d+))?")


def read_torsion(text: str) -> tuple[str, int | None]:
    """Return name and residue number of ``psi 12``; None where no number is given.

    Raises
    ------
    ValueError
        If it is none.
    """
    found = _SPELT.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(
            f"there is no torsion {text!r}. Write {', '.join(NAMES)}, with the number "
            "of a residue where several have it: phi 12"
        )
    return found[1], None if found[2] is None else int(found[2])


def find_torsions(topology: Any, wanted: list[str]) -> list[tuple[int, int, int, int]]:
    """Return the four atoms of each torsion.

    A torsion is its residue's by IUPAC: omega is that of the bond to the next.

    Parameters
    ----------
    topology : of mdtraj

    Raises
    ------
    ConfigError
        If a residue has none, or several have one and no number says which.
    """
    return [_find(topology, *read_torsion(text)) for text in wanted]


def _find(topology: Any, name: str, number: int | None) -> tuple[int, int, int, int]:
    from mdtraj.geometry import dihedral

    rows = getattr(dihedral, f"indices_{name}")(topology)
    atoms = list(topology.atoms)
    having: dict[tuple[int, int, str], Any] = {}
    for row in rows:
        residue = atoms[int(row[1])].residue
        having.setdefault((residue.index, residue.resSeq, str(residue)), row)
    chosen = [r for key, r in having.items() if number in (None, key[1])]
    if len(chosen) == 1:
        a, b, c, d = (int(i) for i in chosen[0])
        return a, b, c, d
    text = name if number is None else f"{name} {number}"
    names = ", ".join(f"{name} {key[1]} ({key[2]})" for key in list(having)[:20])
    if not chosen:
        others = f"It has {names}." if names else f"No residue has a {name}."
        raise ConfigError(f"The protein has no torsion {text}. {others}")
    raise ConfigError(
        f"{len(chosen)} residues have a torsion {text}: {names}. Say which by its "
        "number, or give the four atoms in quadruples."
    )
