"""Extended chains from a one-letter sequence."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from apps.science.arrays import Array
from apps.science.systems.chains import is_allo
from apps.science.systems.fold import build_chain
from apps.science.systems.residues import END_CAPS, L_TO_D, START_CAPS
from apps.science.systems.structure import (
    Residue,
    add_caps,
    one_letter_sequence,
    place_atom,
)

PHI_EXTENDED, PSI_EXTENDED = -135.0, 135.0


def build_extended(sequence: str) -> list[Residue]:
    """Return the heavy atoms of an extended chain (phi -135, psi 135, all trans)."""
    from PeptideBuilder import Geometry

    geometries = []
    for letter in sequence:
        geometry = Geometry.geometry(letter)
        geometry.phi = PHI_EXTENDED
        geometry.psi_im1 = PSI_EXTENDED
        geometry.omega = 180.0
        geometries.append(geometry)
    residues = build_chain(geometries)
    _turn_last_carbonyl(residues[-1])
    return residues


def _turn_last_carbonyl(residue: Residue) -> None:
    """Give the last residue the extended psi, which no next residue sets."""
    n, ca, c = (residue.atoms[name] for name in ("N", "CA", "C"))
    residue.atoms["O"] = place_atom(n, ca, c, 1.23, 120.5, PSI_EXTENDED - 180.0)
    if "OXT" in residue.atoms:
        residue.atoms["OXT"] = place_atom(n, ca, c, 1.23, 120.5, PSI_EXTENDED)


def extend_chain(residues: Sequence[Residue]) -> list[Residue]:
    """Return the extended chain of one chain's residues: same hands, same caps."""
    built = build_extended(one_letter_sequence(residues))
    amino = [r for r in residues if r.is_amino_acid]
    chain = [_give_hands(new, old) for new, old in zip(built, amino, strict=True)]
    last = residues[-1].name
    chain = add_caps(chain, residues[0].name in START_CAPS, last in END_CAPS)
    if last == "NH2":
        cap = chain[-1]
        chain[-1] = replace(cap, name="NH2", atoms={"N": cap.atoms["N"]})
    return chain


def _give_hands(residue: Residue, like: Residue) -> Residue:
    """Return an L residue with the hands of another: at CA, and at CB too."""
    if is_allo(like):
        residue = _mirror(residue, ("N", "CA", "CB"))
    if like.is_right_handed:
        residue = _mirror(residue, ("N", "CA", "C"))
        residue = replace(residue, name=L_TO_D[residue.name])
    return residue


def _mirror(residue: Residue, plane: tuple[str, str, str]) -> Residue:
    """Return a residue with its side chain behind the plane of three of its atoms."""
    one, at, two = (residue.atoms[name] for name in plane)
    normal = np.cross(one - at, two - at)
    normal /= np.linalg.norm(normal)

    def reflect(place: Array) -> Array:
        mirrored: Array = place - 2.0 * ((place - at) @ normal) * normal
        return mirrored

    stay = (*plane, "C", "O", "OXT")
    atoms = {k: v if k in stay else reflect(v) for k, v in residue.atoms.items()}
    return replace(residue, atoms=atoms)
