"""Extended chains from a one-letter sequence."""

from apps.science.systems.fold import build_chain
from apps.science.systems.structure import Residue, place_atom

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
