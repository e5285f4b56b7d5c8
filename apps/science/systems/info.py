"""system.json and starts.npz: what a prepared system is, and where runs begin."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import Field

from apps.science.arrays import Array
from apps.science.config_base import StrictConfig
from apps.science.errors import DataError

SYSTEM_JSON: Final = "system.json"
SYSTEM_XML: Final = "system.xml"
TOPOLOGY_PDB: Final = "topology.pdb"
PROTEIN_PDB: Final = "protein.pdb"
STARTS: Final = "starts.npz"


class SystemInfo(StrictConfig):
    """What the stages after ``prepare`` need to know of the system."""

    schema_version: int = 1
    prepared_from: str = Field(description="Hash of the settings and seed it is from.")
    sequence: str = Field(description="One-letter sequence, caps left out.")
    n_particles: int
    recorded_atoms: list[int] = Field(description="Solute atoms, in protein.pdb order.")
    masses_amu: list[float] = Field(description="Physical masses of recorded atoms.")
    constraints: list[tuple[int, int]] = Field(
        description="Rigid pairs, as indices into recorded_atoms."
    )
    temperature_kelvin: float
    friction_per_ps: float
    timestep_fs: float
    solvent: str
    periodic: bool
    n_starts: int
    start_names: list[str]
    start_probabilities: list[float]
    start_energies_kcal_per_mol: list[float] = Field(
        description="Potential energy of each start."
    )
    ca_rmsd_to_build_angstrom: list[float] = Field(
        description="C-alpha RMSD of each minimised start to what it was built from."
    )
    taken: dict[str, str] = Field(
        default_factory=dict,
        description="What was taken of the structure, headings and sentences; empty "
        "in older files.",
    )


@dataclass(frozen=True)
class Starts:
    """Start states, in the order of ``SystemInfo.start_names``.

    Attributes
    ----------
    positions : (n_starts, n_particles, 3), Angstrom
    velocities : (n_starts, n_particles, 3), Angstrom/ps
    box : (n_starts, 3, 3), Angstrom, or None where not periodic
    """

    positions: Array
    velocities: Array
    box: Array | None


def read_system_info(system_dir: Path) -> SystemInfo:
    """Read ``system.json`` of a prepared system.

    Raises
    ------
    DataError
        If the folder holds no finished system.
    """
    path = system_dir / SYSTEM_JSON
    if not path.is_file():
        raise DataError(f"{path} does not exist. Run the prepare stage first.")
    return SystemInfo.model_validate_json(path.read_text(encoding="utf-8"))


def read_starts(system_dir: Path) -> Starts:
    """Read ``starts.npz`` of a prepared system."""
    with np.load(system_dir / STARTS) as arrays:
        box = arrays.get("box")
        return Starts(arrays["positions"], arrays["velocities"], box)
