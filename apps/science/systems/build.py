"""From heavy atoms to an OpenMM System: hydrogens, water, amber14, heavy hydrogens."""

import io
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from apps.science.arrays import Array
from apps.science.errors import StructureError
from apps.science.systems.arrival import check_arrival
from apps.science.systems.config import SystemConfig
from apps.science.systems.implicit import inverse_debye_length, use_native_obc2
from apps.science.systems.rebuilt import mend_branches
from apps.science.systems.sequence import extend_chain
from apps.science.systems.structure import Residue, format_pdb, one_letter_sequence
from apps.science.systems.taken import describe_taken, take_structure
from apps.science.units import ANGSTROM_PER_NM

_FORCE_FIELDS = {
    "gbn2": ("amber14-all.xml", "implicit/gbn2.xml"),
    "obc2": ("amber14-all.xml", "implicit/obc2.xml"),
    "tip3pfb": ("amber14-all.xml", "amber14/tip3pfb.xml"),
    "vacuum": ("amber14-all.xml",),
}
_CUTOFF_NM = 1.0
_SHRINKAGE_NM = 0.3
"""What the barostat may take off a box before it is too small for the cutoff."""
_PH = 7.0
_CYSTEINATE = [("H", "N"), ("HA", "CA"), ("HB2", "CB"), ("HB3", "CB")]
"""Hydrogens of CYM, for which OpenMM's table has no name."""


@dataclass(frozen=True)
class BuiltSystem:
    """An OpenMM System with the structures that its starts are made from.

    Attributes
    ----------
    topology, system : OpenMM objects, hydrogen masses repartitioned
    start_names : "native" or "extended"
    n_unfolding : starts to be added, from a hot run that begins at the first
    positions : (n_starts, n_particles, 3), Angstrom, not minimised
    box : (3, 3), Angstrom, or None
    solute : indices of the protein's atoms, and of the ions of its structure
    taken : what is simulated, headings and sentences
    """

    sequence: str
    topology: Any
    system: Any
    start_names: list[str]
    n_unfolding: int
    positions: Array
    box: Array | None
    solute: list[int]
    taken: dict[str, str]


def build_system(config: SystemConfig, seed: int) -> BuiltSystem:
    """Add missing atoms, hydrogens and water, and apply the force field.

    Raises
    ------
    StructureError
        If the force field has no template for a residue, or what comes out is not
        what was asked for.
    """
    from openmm import app, unit

    taken = take_structure(config)
    residues = taken.residues
    sequence = one_letter_sequence(residues)
    with _seeded(seed), _one_thread():
        force_field = app.ForceField(*_FORCE_FIELDS[config.solvent])
        asked = [_CYSTEINATE if state == "CYM" else state for state in taken.states]
        modeller, variants = _add_hydrogens(residues, asked, seed)
        n_solute = modeller.topology.getNumAtoms()
        names, stacked = taken.start_names, []
        if config.explicit:
            _add_water(modeller, force_field, config)
        stacked.append(_angstrom(modeller.positions))
        if "extended" in names[1:]:
            stacked.append(_extend(modeller.topology, residues, variants, seed))
        check_arrival(taken, modeller.topology, stacked)
        try:
            system = _create(force_field, modeller.topology, config)
        except ValueError as error:
            raise StructureError(
                f"amber14 cannot describe this protein: {error} Mend the structure "
                "at that residue."
            ) from None
    vectors = modeller.topology.getPeriodicBoxVectors() if config.explicit else None
    box = None
    if vectors is not None:
        box = np.array(vectors.value_in_unit(unit.angstrom), dtype=float)
        system.setDefaultPeriodicBoxVectors(*vectors)
    return BuiltSystem(
        sequence, modeller.topology, system, names, taken.n_unfolding,
        np.stack(stacked), box,
        list(range(n_solute)), describe_taken(taken, config, variants),
    )  # fmt: skip


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed Python's generator, which OpenMM's Modeller places hydrogens with."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep Modeller's own Contexts on one thread, for the sake of the same bits."""
    import openmm

    platform = openmm.Platform.getPlatformByName("CPU")
    before = platform.getPropertyDefaultValue("Threads")
    platform.setPropertyDefaultValue("Threads", "1")
    try:
        yield
    finally:
        platform.setPropertyDefaultValue("Threads", before)


def _add_hydrogens(
    residues: list[Residue], variants: list[Any], seed: int
) -> tuple[Any, list[Any]]:
    import openmm
    from openmm import app
    from openmm.unit import nanometer
    from pdbfixer import PDBFixer

    platform = openmm.Platform.getPlatformByName("CPU")
    fixer = PDBFixer(pdbfile=io.StringIO(format_pdb(residues)), platform=platform)
    fixer.missingResidues = {}
    fixer.findMissingAtoms()
    fixer.addMissingAtoms(seed=seed % 2**31)
    mended = mend_branches(residues, fixer.topology, _angstrom(fixer.positions))
    for atom, place in mended.items():
        fixer.positions[atom] = openmm.Vec3(*(place / ANGSTROM_PER_NM)) * nanometer
    modeller = app.Modeller(fixer.topology, fixer.positions)
    chosen = modeller.addHydrogens(pH=_PH, variants=variants, platform=platform)
    return modeller, chosen


def _extend(
    topology: Any, residues: list[Residue], variants: list[Any], seed: int
) -> Array:
    """Return an extended chain's positions in ``topology``'s order, Angstrom."""
    modeller, _ = _add_hydrogens(extend_chain(residues), variants, seed)
    positions = _angstrom(modeller.positions)
    place = {
        (atom.residue.index, atom.name): positions[atom.index]
        for atom in modeller.topology.atoms()
    }
    return np.array([place[a.residue.index, a.name] for a in topology.atoms()])


def _add_water(modeller: Any, force_field: Any, config: SystemConfig) -> None:
    from openmm import unit

    modeller.addSolvent(
        force_field,
        model="tip3p",
        padding=_pad(_angstrom(modeller.positions), config) * unit.nanometer,
        boxShape="dodecahedron",
        ionicStrength=config.ionic_strength_molar * unit.molar,
        neutralize=True,
    )


def _pad(positions: Array, config: SystemConfig) -> float:
    """Return the padding, nm: the asked one, or more for a box that takes the cutoff.

    OpenMM makes a box of width max(2 r + padding, 2 padding) about a solute of radius
    r; the least height of a rhombic dodecahedron is that over the square root of 2.
    """
    centre = 0.5 * (positions.min(axis=0) + positions.max(axis=0))
    radius_nm = np.linalg.norm(positions - centre, axis=1).max() / ANGSTROM_PER_NM
    least_width_nm = (2.0 * _CUTOFF_NM + _SHRINKAGE_NM) * 2.0**0.5
    least = min(least_width_nm - 2.0 * radius_nm, 0.5 * least_width_nm)
    return max(config.padding_nm, float(least))


def _create(force_field: Any, topology: Any, config: SystemConfig) -> Any:
    from openmm import MonteCarloBarostat, app, unit

    arguments: dict[str, Any] = {"nonbondedMethod": app.NoCutoff}
    if config.explicit:
        arguments = {
            "nonbondedMethod": app.PME,
            "nonbondedCutoff": _CUTOFF_NM * unit.nanometer,
        }
    elif config.solvent != "vacuum" and config.ionic_strength_molar > 0:
        arguments["implicitSolventKappa"] = inverse_debye_length(
            config.ionic_strength_molar, config.temperature_kelvin
        )
    system = force_field.createSystem(
        topology,
        constraints=app.HBonds,
        rigidWater=True,
        hydrogenMass=config.hydrogen_mass_amu * unit.amu,
        **arguments,
    )
    if config.solvent == "obc2" and config.ionic_strength_molar == 0:
        use_native_obc2(system)
    if config.explicit:
        system.addForce(
            MonteCarloBarostat(
                config.pressure_atm * unit.atmosphere,
                config.temperature_kelvin * unit.kelvin,
                25,
            )
        )
    return system


def _angstrom(positions: Any) -> Array:
    from openmm import unit

    return np.array(positions.value_in_unit(unit.nanometer)) * ANGSTROM_PER_NM
