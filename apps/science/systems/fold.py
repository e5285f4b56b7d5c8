"""Heavy atoms of a chain from internal coordinates, by PeptideBuilder's geometry."""

from typing import Any

from apps.science.systems.native_folds import Fold
from apps.science.systems.residues import ONE_TO_THREE
from apps.science.systems.structure import Residue

_CHI_PREFIXES = (
    ("N_CA_CB_",),
    ("CA_CB_CG_", "CA_CB_CG1_"),
    ("CB_CG_CD_", "CB_CG_SD_"),
    ("CG_CD_NE_", "CG_CD_CE_"),
)
"""Atoms before the last of chi 1 to chi 4, as PeptideBuilder names its torsions."""


def build_fold(fold: Fold) -> list[Residue]:
    """Return the heavy atoms of ``fold``, side chains included.

    Bond lengths and the angles the table lacks are PeptideBuilder's. Side chains may
    clash; energy minimisation takes the clashes out.
    """
    return build_chain([_geometry_of(fold, i) for i in range(len(fold.sequence))])


def build_chain(geometries: list[Any]) -> list[Residue]:
    """Return the chain that PeptideBuilder makes of its geometries, with OXT."""
    import PeptideBuilder

    structure = PeptideBuilder.make_structure_from_geos(geometries)
    PeptideBuilder.add_terminal_OXT(structure)
    return [
        Residue(
            ONE_TO_THREE[geometry.residue_name],
            str(number),
            "A",
            {atom.get_name(): atom.get_coord().astype(float) for atom in residue},
        )
        for number, (geometry, residue) in enumerate(
            zip(geometries, structure[0]["A"], strict=True), start=1
        )
    ]


def _geometry_of(fold: Fold, index: int) -> Any:
    from PeptideBuilder import Geometry

    geometry = Geometry.geometry(fold.sequence[index])
    values = {
        "phi": fold.phi[index],
        "psi_im1": fold.psi[index - 1] if index else None,
        "omega": fold.omega[index],
        "N_CA_C_angle": fold.n_ca_c[index],
        "CA_C_N_angle": fold.ca_c_n[index],
        "C_N_CA_angle": fold.c_n_ca[index],
    }
    for name, value in values.items():
        if value is not None:
            setattr(geometry, name, value)
    for prefixes, chi in zip(_CHI_PREFIXES, fold.chi[index], strict=False):
        _turn_side_chain(geometry, prefixes, chi)
    return geometry


def _turn_side_chain(geometry: Any, prefixes: tuple[str, ...], chi: float) -> None:
    """Set one chi; a branch about the same bond turns by the same angle."""
    about_bond = [
        name
        for name in vars(geometry)
        if name.startswith(prefixes) and name.endswith("_diangle")
    ]
    if not about_bond:
        return
    turn = chi - getattr(geometry, about_bond[0])
    for name in about_bond:
        setattr(geometry, name, getattr(geometry, name) + turn)
