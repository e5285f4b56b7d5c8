"""A C-alpha model as others publish one: torchmd-net's file, torchmd's prior, a PSF."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from apps.science.cg.mapping.beads import ONE_LETTER
from apps.science.cg.prior.tables import PriorTables
from apps.science.cg.prior.torchmd_yaml import format_tables

RESIDUES = ["LEU", "HSD", "ASP", "NLE", "GLY", "TRP", "PRO", "HIE", "LYS", "ALA"]
"""With names that force fields have for histidine, and norleucine."""

SETTINGS = {
    "model": "graph-network", "embedding_dimension": 32, "num_layers": 2, "num_rbf": 18,
    "rbf_type": "expnorm", "trainable_rbf": True, "activation": "tanh",
    "neighbor_embedding": False, "cutoff_lower": 3.0, "cutoff_upper": 12.0,
    "max_z": 100, "max_num_neighbors": 64, "aggr": "add", "output_model": "Scalar",
    "reduce_op": "add", "derivative": True, "atom_filter": -1, "prior_model": None,
    "precision": 32, "load_model": None, "remove_ref_energy": False, "lr": 5e-4,
}  # fmt: skip
"""Of the published models, but for their size; the last are what its trainer wants."""


@dataclass(frozen=True)
class Published:
    """The files of a model."""

    checkpoint: Path
    prior: Path
    psf: Path


def name_type(residue: str) -> str:
    plain = {"HSD": "HIS", "HIE": "HIS", "NLE": "LEU"}.get(residue, residue)
    return f"CA{ONE_LETTER[plain]}"


def write_psf(path: Path, residues: list[str]) -> Path:
    """Write beads, bonds and dihedrals, as the published files do: no angles."""

    def count(size: int) -> list[str]:
        groups = [[k + i + 1 for i in range(size)] for k in range(n + 1 - size)]
        flat = [f"{i:10d}" for group in groups for i in group]
        return ["".join(flat[k : k + 8]) for k in range(0, len(flat), 8)]

    n = len(residues)
    atoms = [
        f"{k:10d} P        {k + 40:<8d} {r:<8s} CA       {name_type(r):<8s} "
        f"{0.0:9.6f} {0.0:13.4f} {0:11d}"
        for k, r in enumerate(residues, start=1)
    ]
    sections = [
        ["PSF NAMD"], ["       0 !NTITLE"], [f"{n:8d} !NATOM", *atoms],
        [f"{n - 1:8d} !NBOND: bonds", *count(2)], ["       0 !NTHETA: angles"],
        [f"{n - 3:8d} !NPHI: dihedrals", *count(4)], ["       0 !NIMPHI: impropers"],
    ]  # fmt: skip
    path.write_text("\n\n".join("\n".join(lines) for lines in sections) + "\n\n")
    return path


def write_prior(path: Path, residues: list[str]) -> Path:
    """Write a force field as torchmd has it, which says nothing of terms."""
    rng = np.random.default_rng(4)
    types = [name_type(r) for r in residues]
    tables = PriorTables(
        ("bonds", "dihedrals", "repulsion"), ("bonds",),
        bonds={
            (a, b): (60 + 20 * rng.random(), 3.8 + 0.05 * rng.random())
            for a in sorted(set(types)) for b in sorted(set(types))
        },
        dihedrals={("X",) * 4: ((0.2, -2.3, 1), (0.33, -1.7, 2))},
        repulsion={(t,): (1.0, 2200 + 300 * rng.random()) for t in sorted(set(types))},
        masses=dict.fromkeys(sorted(set(types)), 12.5),
    )  # fmt: skip
    document = yaml.safe_load(format_tables(tables))
    del document["weft"]
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def save_checkpoint(path: Path, **other: Any) -> Path:
    """Let torchmd-net and Lightning save an untrained model of large forces."""
    import warp

    warp.config.log_level = 30  # it greets on stdout
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lightning import Trainer
        from torchmdnet.module import LNNP

        torch.manual_seed(6)
        scale = {"mean": torch.tensor(4.0), "std": torch.tensor(20.0)}
        model = LNNP(SETTINGS | other, **scale)
        trainer = Trainer(
            accelerator="cpu", logger=False, max_epochs=0, enable_progress_bar=False,
            enable_model_summary=False, default_root_dir=str(path.parent),
        )  # fmt: skip
        trainer.strategy.connect(model)
        trainer.save_checkpoint(path)
    return path


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    folder = tmp_path_factory.mktemp("published")
    return Published(
        save_checkpoint(folder / "model.ckpt"),
        write_prior(folder / "prior_force_field.yaml", RESIDUES),
        write_psf(folder / "protein.psf", RESIDUES),
    )


@pytest.fixture(scope="session")
def save() -> Callable[..., Path]:
    return save_checkpoint


@pytest.fixture(scope="session")
def run_torchmd() -> Callable[..., tuple[torch.Tensor, torch.Tensor]]:
    return compute_with_torchmd


def compute_with_torchmd(
    files: Published, positions: torch.Tensor, embeddings: list[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return energies and forces of torchmd with torchmd-net's calculator, in double.

    As the published simulate.yaml has it, read by their own readers.
    """
    from moleculekit.molecule import Molecule
    from torchmd.forcefields.ff_yaml import YamlForcefield
    from torchmd.forces import Forces
    from torchmd.parameters import Parameters
    from torchmdnet.calculators import External

    molecule = Molecule(str(files.psf))
    terms = ["bonds", "repulsioncg", "dihedrals"]
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        parameters = Parameters(
            YamlForcefield(molecule, str(files.prior)), molecule,
            terms=[*terms, "lj"], precision=torch.float64,
        )  # fmt: skip
    finally:
        torch.set_default_dtype(before)
    parameters.A, parameters.B = parameters.get_AB()
    n = len(positions)
    network = External(
        str(files.checkpoint), torch.tensor([embeddings] * n), "cpu",
        dtype=torch.float64, precision=64,
    )  # fmt: skip
    engine = Forces(parameters, terms=terms, exclusions="bonds")
    forces = torch.zeros_like(positions)
    box = torch.zeros(n, 3, 3, dtype=torch.float64)
    energies = engine.compute(positions, box, forces)
    # with the box that torchmd would pass on, every distance would be NaN
    energy, force = network.calculate(positions.clone(), None)
    return torch.tensor(energies, dtype=torch.float64) + energy[:, 0], forces + force
