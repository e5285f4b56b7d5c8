"""A WE folder of any size with chignolin's numbers of atoms and beads.

166 atoms, 10 C-alphas on a helix that jitters, forces at random; 10 frames a segment,
36 segments a shard. What it says is nonsense, what it weighs is real.
"""

from pathlib import Path

import numpy as np

from apps.science.cg.mapping.mapping import AtomGroup, Mapping
from apps.science.cg.prior.priors import PriorConfig, PriorSource, fit_prior
from apps.science.propagators.base import Frames, States
from apps.science.segments.ingest import ingest
from apps.science.we.storage import journal, shards

N_ATOMS, N_BEADS, N_FRAMES = 166, 10, 10
N_SEGMENTS, PER_SHARD = 216, 36
BYTES_PER_ITERATION = N_SEGMENTS * N_FRAMES * N_ATOMS * 24
"""Of positions and forces."""


def make_mapping() -> Mapping:
    """Return C-alpha beads that each take the forces of two atoms, one of three."""
    first = [16 * k for k in range(N_BEADS)]
    sizes = [2, 2, 2, 2, 2, 2, 3, 2, 2, 2]
    return Mapping(
        kind="calpha", force_map="constraint_sum", n_atoms=N_ATOMS,
        names=["CA"] * N_BEADS, types=["CAA"] * N_BEADS, resnames=["ALA"] * N_BEADS,
        resids=list(range(1, N_BEADS + 1)), chains=[0] * N_BEADS,
        embeddings=[1] * N_BEADS, masses_amu=[12.0] * N_BEADS,
        coordinate_groups=[AtomGroup(atoms=[a], coefficients=[1.0]) for a in first],
        force_groups=[
            AtomGroup(atoms=list(range(a, a + n)), coefficients=[1.0] * n)
            for a, n in zip(first, sizes, strict=True)
        ],
        bonds=[(k, k + 1) for k in range(N_BEADS - 1)],
        angles=[(k, k + 1, k + 2) for k in range(N_BEADS - 2)],
        dihedrals=[(k, k + 1, k + 2, k + 3) for k in range(N_BEADS - 3)],
    )  # fmt: skip


def make_run(folder: Path, n_iterations: int) -> None:
    """Write we/, mapping.json, prior.yaml and an empty prior into ``folder``."""
    rng = np.random.default_rng(1)
    turn = np.radians(100.0) * np.arange(N_ATOMS) / 16.0
    helix = np.stack(
        [2.3 * np.cos(turn), 2.3 * np.sin(turn), 1.5 * np.arange(N_ATOMS) / 16.0],
        axis=1,
    )
    for n_iter in range(1, n_iterations + 1):
        _write_iteration(folder / "we", n_iter, helix, rng)
    make_mapping().write(folder / "mapping.json")
    store = ingest(folder / "we", folder / "few" / "segments.h5", 1)
    for name, terms in (("prior", None), ("no_prior", [])):
        config = PriorConfig(gate_steps=0, terms=terms)
        source = PriorSource(store, folder / "mapping.json")
        fit_prior([source], config, folder / f"{name}.yaml")


def _write_iteration(
    we: Path, n_iter: int, helix: np.ndarray, rng: np.random.Generator
) -> None:
    first = n_iter == 1
    parents = rng.integers(0, N_SEGMENTS, N_SEGMENTS).tolist()
    parents = [-1] * N_SEGMENTS if first else parents
    weights = rng.dirichlet(np.full(N_SEGMENTS, 0.3))
    places, written = [], []
    for begin in range(0, N_SEGMENTS, PER_SHARD):
        ids = list(range(begin, begin + PER_SHARD))
        shape = (PER_SHARD, N_FRAMES, N_ATOMS, 3)
        noise = rng.standard_normal(shape, dtype="f4")
        positions = helix.astype("f4") + 0.15 * noise
        states = States(positions[:, -1], positions[:, -1])
        frames = Frames(positions, 20.0 * noise, states, np.zeros(PER_SHARD, bool))
        places += [(len(written), row) for row in range(PER_SHARD)]
        written.append(
            shards.write_shard(
                shards.shard_path(we / "shards", n_iter, begin), n_iter, ids,
                parents[begin : begin + PER_SHARD], [0] * PER_SHARD,
                positions[:, :, 0, :2], frames, 1.0,
            )
        )  # fmt: skip
    record = journal.IterationRecord(
        n_iter, 0, list(range(N_SEGMENTS)), parents, weights.tolist(), places,
        [block.path for block in written], [block.digest for block in written], {},
    )  # fmt: skip
    journal.write_record(we / "journal", record)
