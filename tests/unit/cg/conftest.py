"""A chain of C-alpha beads with its hydrogens, and molecules at bead resolution."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from apps.science.arrays import Array
from apps.science.cg.mapping.mapping import AtomGroup, Mapping

CHIGNOLIN = ["TYR", "TYR", "ASP", "PRO", "GLU", "THR", "GLY", "THR", "TRP", "TYR"]
ALPHA_HYDROGENS = {"GLY": ("HA2", "HA3")}
MASSES = {"N": 14.007, "C": 12.011, "H": 1.008}


@dataclass(frozen=True)
class Atoms:
    """Masses and rigid pairs of the atoms of a PDB file."""

    pdb: Path
    masses_amu: list[float]
    constraints: list[tuple[int, int]]


def write_chain(path: Path, residues: list[str]) -> Atoms:
    """Write N, CA, alpha hydrogens and C of every residue, 3.8 Å apart."""
    lines, masses, constraints = [], [], []
    for number, residue in enumerate(residues, start=1):
        hydrogens = ALPHA_HYDROGENS.get(residue, ("HA",))
        calpha = len(masses) + 1
        for k, name in enumerate(("N", "CA", *hydrogens, "C")):
            serial = len(masses) + 1
            if name.startswith("H"):
                constraints.append((calpha, serial - 1))
            masses.append(MASSES[name[0]])
            x = 3.8 * number + (1.2 if name == "C" else -1.2 if name == "N" else 0.0)
            y = 1.0 * (k - 1) if name.startswith("H") else 0.0
            lines.append(
                f"ATOM  {serial:5d}  {name:<3s} {residue} A{number:4d}    "
                f"{x:8.3f}{y:8.3f}{0.0:8.3f}  1.00  0.00           {name[0]}"
            )
    path.write_text("\n".join([*lines, "END"]) + "\n")
    return Atoms(path, masses, constraints)


@pytest.fixture
def chignolin_atoms(tmp_path: Path) -> Atoms:
    return write_chain(tmp_path / "chignolin.pdb", CHIGNOLIN)


@pytest.fixture(scope="session")
def bead_chain() -> Callable[..., Mapping]:
    return build_chain


def build_chain(types: list[str], kind: str = "calpha") -> Mapping:
    """Return the mapping of a bead chain onto itself."""
    n = len(types)
    own = [AtomGroup(atoms=[i], coefficients=[1.0]) for i in range(n)]
    return Mapping(
        kind=kind, force_map="constraint_sum", n_atoms=n,
        names=["CA"] * n, types=types, resnames=["ALA"] * n,
        resids=list(range(1, n + 1)), chains=[0] * n,
        embeddings=[1 + i % 20 for i in range(n)], masses_amu=[12.0] * n,
        coordinate_groups=own, force_groups=own,
        bonds=[(i, i + 1) for i in range(n - 1)],
        angles=[(i, i + 1, i + 2) for i in range(n - 2)],
        dihedrals=[(i, i + 1, i + 2, i + 3) for i in range(n - 3)],
    )  # fmt: skip


@pytest.fixture
def octamer() -> Mapping:
    return build_chain(["CAA", "CAG", "CAA", "CAY", "CAP", "CAG", "CAW", "CAA"])


@pytest.fixture(scope="session")
def random_chains() -> Callable[..., Array]:
    return draw_chains


def draw_chains(n_frames: int, n_beads: int, seed: int = 3) -> Array:
    """Return bent, self-avoiding enough chains of 3.8 Å bonds, (n_frames, n, 3)."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(n_frames, n_beads - 1, 3)) + np.array([1.5, 0.0, 0.0])
    steps *= 3.8 / np.linalg.norm(steps, axis=-1, keepdims=True)
    steps *= 1.0 + 0.02 * rng.normal(size=steps.shape[:2])[..., None]
    origin = np.zeros((n_frames, 1, 3))
    return np.concatenate([origin, steps.cumsum(axis=1)], axis=1)


@pytest.fixture
def compute_with_torchmd() -> Callable[..., tuple[torch.Tensor, torch.Tensor]]:
    return run_torchmd


def run_torchmd(
    yaml_file: Path, mapping: Mapping, positions: torch.Tensor, terms: list[str]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return energies and forces of torchmd's own loops, in double precision."""
    from torchmd.forcefields.ff_yaml import YamlForcefield
    from torchmd.forces import Forces
    from torchmd.parameters import Parameters

    n = mapping.n_beads
    molecule = SimpleNamespace(
        numAtoms=n, atomtype=np.array(mapping.types, dtype=object),
        charge=np.zeros(n), masses=np.full(n, 12.0),
        bonds=np.array(mapping.bonds), angles=np.array(mapping.angles),
        dihedrals=np.array(mapping.dihedrals), impropers=np.zeros((0, 4)),
    )  # fmt: skip
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        force_field = YamlForcefield(molecule, str(yaml_file))
        parameters = Parameters(
            force_field, molecule, terms=[*terms, "lj"], precision=torch.float64
        )
    finally:
        torch.set_default_dtype(before)
    parameters.A, parameters.B = parameters.get_AB()
    engine = Forces(parameters, terms=terms, exclusions=("bonds",))
    forces = torch.zeros_like(positions)
    box = torch.zeros(len(positions), 3, 3, dtype=torch.float64)
    energies = engine.compute(positions, box, forces)
    return torch.tensor(energies, dtype=torch.float64), forces
