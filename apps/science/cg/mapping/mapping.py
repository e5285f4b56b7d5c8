"""From atoms to beads: the coordinate map, the force map and the chain of beads."""

import functools
import json
import logging
from collections.abc import Mapping as Table
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from pydantic import Field, ValidationError

from apps.science.arrays import Array, IntArray
from apps.science.cg.mapping.bead_choice import choose_beads
from apps.science.cg.mapping.config import (
    MADE_OF_FRAMES,
    BeadRule,
    ForceMapChoice,
    ForceMapKind,
)
from apps.science.cg.mapping.connectivity import connect_beads
from apps.science.cg.mapping.force_maps import build_force_map, group_constraints
from apps.science.config_base import StrictConfig
from apps.science.errors import DataError, ShapeMismatchError, StructureError
from apps.science.files import write_json
from apps.science.units import ANGSTROM_PER_NM

_log = logging.getLogger(__name__)

SCHEMA = "weft-mapping-1"


class AtomSource(Protocol):
    """What a mapping needs to know of the atomistic system (``SystemInfo`` does)."""

    @property
    def masses_amu(self) -> Any:
        """Physical masses of the recorded atoms."""
        ...

    @property
    def constraints(self) -> Any:
        """Pairs of recorded atoms held at a fixed distance."""
        ...


class AtomGroup(StrictConfig):
    """Atoms with coefficients: one row of a map."""

    atoms: list[int] = Field(description="Indices into the recorded atoms.")
    coefficients: list[float] = Field(description="One per atom.")


class Mapping(StrictConfig):
    """A coarse-grained description of one system; all indices are bead indices."""

    schema_version: str = SCHEMA
    kind: str = Field(description="calpha, backbone, backbone_cb or custom.")
    force_map: str = Field(description="Kind of force map.")
    n_atoms: int = Field(gt=0, description="Recorded atoms.")
    names: list[str] = Field(description="Name of each bead.")
    types: list[str] = Field(description="TorchMD atom type of each bead.")
    resnames: list[str]
    resids: list[int]
    chains: list[int]
    embeddings: list[int] = Field(description="Integer a model knows the bead by.")
    masses_amu: list[float]
    coordinate_groups: list[AtomGroup]
    force_groups: list[AtomGroup]
    bonds: list[tuple[int, int]]
    angles: list[tuple[int, int, int]]
    dihedrals: list[tuple[int, int, int, int]]
    constraint_groups: list[list[int]] | None = Field(
        None, description="Atoms held rigid together; null in older files: not known."
    )
    gaps: list[str] = Field(
        default_factory=list, description="Where a chain is interrupted, in words."
    )

    @property
    def n_beads(self) -> int:
        """Return the number of beads."""
        return len(self.names)

    @functools.cached_property
    def coordinate_matrix(self) -> Array:
        """Xi, (n_beads, n_atoms); rows sum to one."""
        return _matrix(self.coordinate_groups, self.n_atoms)

    @functools.cached_property
    def force_matrix(self) -> Array:
        """D, (n_beads, n_atoms)."""
        return _matrix(self.force_groups, self.n_atoms)

    @property
    def calpha_beads(self) -> IntArray:
        """Return the indices of beads that are C-alpha atoms."""
        return np.array([i for i, name in enumerate(self.names) if name == "CA"])

    def describe_bead(self, bead: int) -> str:
        """Return a bead as a person would look for it: ``CA of TYR 4``."""
        return f"{self.names[bead]} of {self.resnames[bead]} {self.resids[bead]}"

    def map_positions(self, positions: Array) -> Array:
        """Return bead positions (n_frames, n_beads, 3) from (n_frames, n_atoms, 3)."""
        return self._apply(self.coordinate_matrix, positions)

    def map_forces(self, forces: Array) -> Array:
        """Return bead forces (n_frames, n_beads, 3) from (n_frames, n_atoms, 3)."""
        return self._apply(self.force_matrix, forces)

    def with_force_map(self, kind: str, matrix: Array) -> "Mapping":
        """Return the same beads under another force map (n_beads, n_atoms)."""
        fields = self.model_dump(exclude={"force_map", "force_groups"})
        return Mapping(force_map=kind, force_groups=_groups(matrix), **fields)

    def _apply(self, matrix: Array, values: Array) -> Array:
        if values.ndim != 3 or values.shape[1:] != (self.n_atoms, 3):
            raise ShapeMismatchError(
                f"Got an array of shape {values.shape} but the mapping covers "
                f"(n_frames, {self.n_atoms}, 3). Rebuild the mapping from the "
                "topology used for sampling."
            )
        mapped: Array = np.matmul(matrix, values)
        return mapped

    def write(self, path: Path) -> Path:
        """Write the mapping as JSON, atomically."""
        return write_json(path, self.model_dump(mode="json"))


def _matrix(groups: list[AtomGroup], n_atoms: int) -> Array:
    matrix = np.zeros((len(groups), n_atoms))
    for row, group in zip(matrix, groups, strict=True):
        row[group.atoms] = group.coefficients
    return matrix


def _groups(matrix: Array) -> list[AtomGroup]:
    groups = []
    for row in matrix:
        atoms = np.flatnonzero(row)
        groups.append(AtomGroup(atoms=atoms.tolist(), coefficients=row[atoms].tolist()))
    return groups


def _read_source(source: AtomSource | Path) -> tuple[Array, list[list[int]]]:
    if isinstance(source, Path):
        fields = json.loads(source.read_text(encoding="utf-8"))
        return np.asarray(fields["masses_amu"], dtype=float), fields["constraints"]
    return np.asarray(source.masses_amu, dtype=float), [
        [int(i), int(j)] for i, j in source.constraints
    ]


def build_mapping(
    topology_pdb: Path,
    system_info: AtomSource | Path,
    beads: str | Sequence[BeadRule],
    force_map: ForceMapChoice = "constraint_sum",
    residues: Table[str, str] | None = None,
) -> Mapping:
    """Choose the beads of a protein and build both maps.

    Parameters
    ----------
    topology_pdb : PDB file with exactly the recorded atoms, in their order
    system_info : a ``SystemInfo`` or the path of ``system.json``
    beads : ``calpha``, ``backbone``, ``backbone_cb``, or rules of one's own
    force_map : see ``force_maps.build_force_map``; ``optimal`` and ``auto`` need
        frames, so the mapping carries ``constraint_sum`` until ``fit_force_map`` has
        seen them
    residues : which known residue an unknown one counts as

    Raises
    ------
    ShapeMismatchError
        If the topology and the system differ in atoms.
    StructureError
        If no bead, or a residue without a bead type, is found.
    ConfigError
        If the rules contradict each other or fit no residue.
    """
    import mdtraj

    frame = mdtraj.load(str(topology_pdb))
    masses, constraints = _read_source(system_info)
    n_atoms = frame.n_atoms
    if len(masses) != n_atoms:
        raise ShapeMismatchError(
            f"{topology_pdb} has {n_atoms} atoms but the system records {len(masses)}. "
            "Use the topology that was written with the system."
        )
    kind = beads if isinstance(beads, str) else "custom"
    chosen = choose_beads(frame.topology, masses, beads, residues)
    if not chosen:
        raise StructureError(
            f"{topology_pdb} has no residue with a C-alpha, so no {kind} beads. "
            "Give a protein, or choose other beads."
        )
    xi = np.zeros((len(chosen), n_atoms))
    for row, bead in zip(xi, chosen, strict=True):
        row[list(bead.atoms)] = bead.coefficients
    groups = group_constraints(n_atoms, constraints)
    positions = frame.xyz[0].astype(float) * ANGSTROM_PER_NM
    found = connect_beads(frame.topology, positions, chosen)
    for gap in found.gaps:
        _log.warning("%s: %s; no bond crosses it", topology_pdb.name, gap)
    first: ForceMapKind = "constraint_sum"
    if force_map not in MADE_OF_FRAMES:
        first = cast(ForceMapKind, force_map)
    return Mapping(
        kind=kind,
        force_map=first,
        n_atoms=n_atoms,
        names=[b.name for b in chosen],
        types=[b.type_name for b in chosen],
        resnames=[b.resname for b in chosen],
        resids=[b.resid for b in chosen],
        chains=[b.chain for b in chosen],
        embeddings=[b.embedding for b in chosen],
        masses_amu=[float(masses[list(b.atoms)].sum()) for b in chosen],
        coordinate_groups=_groups(xi),
        force_groups=_groups(build_force_map(first, xi, groups)),
        bonds=found.bonds,
        angles=found.angles,
        dihedrals=found.dihedrals,
        constraint_groups=groups,
        gaps=found.gaps,
    )


def read_mapping(path: Path) -> Mapping:
    """Read a mapping written by ``Mapping.write``.

    Raises
    ------
    DataError
        If the file is missing or of another schema.
    """
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"{path} does not exist. Run the coarse-graining stage first."
        ) from None
    if fields.get("schema_version") != SCHEMA:
        raise DataError(
            f"{path} has schema {fields.get('schema_version')!r}; expected {SCHEMA!r}. "
            "Build the mapping again with this version."
        )
    try:
        return Mapping(**fields)
    except ValidationError as error:
        raise DataError(f"{path} is not a mapping: {error}. Build it again.") from None
