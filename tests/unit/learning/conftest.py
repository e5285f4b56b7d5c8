"""Small force-matching sets with known energies, and jobs that train on them."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
import yaml

from apps.science.cg.dataset.write import MOLECULE, SCHEMA
from apps.science.cg.mapping.mapping import AtomGroup, Mapping
from apps.science.cg.prior.tables import PriorTables
from apps.science.cg.prior.terms import build_prior
from apps.science.cg.prior.torchmd_yaml import format_tables
from apps.science.learning.launch import training_command
from apps.science.tasks.force_matching.config import TrainingConfig, TrainingJob

N_FRAMES, N_BEADS = 96, 4
MODEL = {"kind": "cgschnet", "embedding_dimension": 8, "num_layers": 1, "num_rbf": 8}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Return a set whose delta forces are springs between first and last bead."""
    rng = np.random.default_rng(4)
    pos = rng.normal(size=(N_FRAMES, N_BEADS, 3)) + 2.0 * np.arange(N_BEADS)[:, None]
    delta = np.zeros_like(pos)
    pull = 0.5 * (pos[:, -1] - pos[:, 0])
    delta[:, 0], delta[:, -1] = pull, -pull
    path = tmp_path / "dataset.h5"
    with h5py.File(path, "w") as h5:
        h5.create_group("meta").attrs["schema"] = SCHEMA
        group = h5.create_group(f"mol/{MOLECULE}")
        group["z"] = np.array([1, 2, 3, 4])
        group["pos"] = pos.astype("f4")
        group["delta"] = delta.astype("f4")
        group["weight"] = rng.dirichlet(np.ones(N_FRAMES))
        group["split"] = (np.arange(N_FRAMES) >= 80).astype("i1")
    return path


@pytest.fixture
def make_job(dataset: Path, tmp_path: Path) -> Callable[..., TrainingJob]:
    def make(name: str, **training: Any) -> TrainingJob:
        settings = {"n_epochs": 4, "batch_size": 16, "warmup_steps": 2} | training
        return TrainingJob(
            dataset=dataset, out=tmp_path / name, seed=11, device="cpu", model=MODEL,
            training=TrainingConfig(**settings),
        )  # fmt: skip

    return make


CHIGNOLIN = [4, 4, 5, 8, 6, 13, 2, 13, 7, 4]
TRP_CAGE = [11, 9, 4, 14, 10, 17, 7, 15, 15, 5, 2, 2, 8, 12, 12, 2, 8, 8, 8, 12]
TEMPERATURE = 300.0
TABLES = PriorTables(
    ("bonds",), ("bonds",), bonds={("CA", "CA"): (75.0, 3.8)},
    temperature_kelvin=TEMPERATURE,
)  # fmt: skip


def build_mapping(embeddings: list[int]) -> Mapping:
    """Return the mapping of a C-alpha chain onto itself."""
    n = len(embeddings)
    own = [AtomGroup(atoms=[i], coefficients=[1.0]) for i in range(n)]
    return Mapping(
        kind="calpha", force_map="slice", n_atoms=n, names=["CA"] * n,
        types=["CA"] * n, resnames=["ALA"] * n, resids=list(range(1, n + 1)),
        chains=[0] * n, embeddings=embeddings, masses_amu=[12.0] * n,
        coordinate_groups=own, force_groups=own,
        bonds=[(i, i + 1) for i in range(n - 1)], angles=[], dihedrals=[],
    )  # fmt: skip


def draw_chains(n_frames: int, n_beads: int, seed: int) -> np.ndarray:
    """Return chains whose bonds have the lengths of the prior, (F, n_beads, 3)."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(n_frames, n_beads, 3))
    lengths = rng.normal(3.8, 0.063, (n_frames, n_beads, 1))
    steps *= lengths / np.linalg.norm(steps, axis=-1, keepdims=True)
    return steps.cumsum(axis=1)


@pytest.fixture
def two_proteins(tmp_path: Path) -> Path:
    """Return a set of chignolin and Trp-cage, with springs to learn from 1 to 3."""
    path = tmp_path / "two.h5"
    with h5py.File(path, "w") as h5:
        h5.create_group("meta").attrs["schema"] = SCHEMA
        for name, embeddings, n_frames in (
            ("chignolin", CHIGNOLIN, 120),
            ("trp_cage", TRP_CAGE, 60),
        ):
            mapping = build_mapping(embeddings)
            pos = draw_chains(n_frames, len(embeddings), len(embeddings))
            span = pos[:, 2:] - pos[:, :-2]
            length = np.linalg.norm(span, axis=-1, keepdims=True)
            pull = 0.5 * (length - 6.0) * span / length
            delta = np.zeros_like(pos)
            delta[:, :-2] += pull
            delta[:, 2:] -= pull
            group = h5.create_group(f"mol/{name}")
            group["z"] = np.array(embeddings)
            group["resid"], group["bonds"] = mapping.resids, mapping.bonds
            group["pos"], group["delta"] = pos.astype("f4"), delta.astype("f4")
            group["weight"] = np.random.default_rng(1).dirichlet(np.ones(n_frames))
            group["split"] = (np.arange(n_frames) % 6 == 0).astype("i1")
            group["mapping_json"] = mapping.model_dump_json()
            group["prior_yaml"] = format_tables(TABLES)
            _, bonds = build_prior(mapping, TABLES).energy_and_forces(
                torch.as_tensor(pos)
            )
            group["force_prior"] = bonds.numpy().astype("f4")
    return path


@pytest.fixture
def run_ranks() -> Callable[..., None]:
    """Return what trains a job in so many processes, as a campaign does."""

    def run(job: TrainingJob, n: int, **environment: str) -> None:
        done = subprocess.run(
            training_command(write_job(job), n, {}), stderr=subprocess.PIPE, text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
            check=False, timeout=240,
        )  # fmt: skip
        assert done.returncode in (0, 3), done.stderr

    return run


def write_job(job: TrainingJob) -> Path:
    path = job.out / "config.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(job.model_dump(mode="json")))
    return path


@pytest.fixture(name="write_job")
def write_job_fixture() -> Callable[[TrainingJob], Path]:
    """Return what writes a job's file where a campaign has it."""
    return write_job
