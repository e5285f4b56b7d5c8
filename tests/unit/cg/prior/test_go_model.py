"""The Go model: its native structure is its minimum, its forces its gradient."""

import numpy as np
import pytest
import torch

from apps.science.cg.prior.go_model import GoForceField, fit_go_model
from apps.science.cg.prior.torchmd_yaml import read_tables, write_tables
from apps.science.errors import ShapeMismatchError, StructureError
from apps.science.metrics.conformations._geometry import measure_rmsd
from apps.science.propagators.base import States
from apps.science.propagators.cg import Config, Propagator

N_BEADS = 12


def make_helix(n_beads=N_BEADS):
    """Return the C-alpha trace of an ideal alpha helix."""
    turn = np.radians(100.0) * np.arange(n_beads)
    return np.stack(
        [2.3 * np.cos(turn), 2.3 * np.sin(turn), 1.5 * np.arange(n_beads)], axis=1
    )


@pytest.fixture(scope="module")
def mapping(calpha_chain):
    return calpha_chain(N_BEADS)


@pytest.fixture(scope="module")
def force_field(mapping):
    return GoForceField(fit_go_model(mapping, make_helix()), mapping)


def test_bonded_and_contact_forces_vanish_at_the_native_structure(mapping) -> None:
    native = make_helix()
    parameters = fit_go_model(mapping, native, 2.0)
    force_field = GoForceField(parameters, mapping)
    del force_field.prior.terms["repulsion"]
    energy, forces = force_field.compute(torch.tensor(native[None]))
    # each contact is worth epsilon, and nothing is strained
    assert energy[0].item() == pytest.approx(-2.0 * len(parameters.pairs))
    assert forces.abs().max().item() < 1e-9


def test_forces_are_the_gradient(force_field) -> None:
    rng = np.random.default_rng(0)
    x = torch.tensor(make_helix() + 0.3 * rng.normal(size=(2, N_BEADS, 3)))
    forces = force_field.compute(x)[1]
    for bead, axis in ((0, 0), (5, 1), (11, 2)):
        moved = [x.clone(), x.clone()]
        moved[0][:, bead, axis] += 1e-5
        moved[1][:, bead, axis] -= 1e-5
        up, down = (force_field.compute(m)[0] for m in moved)
        np.testing.assert_allclose(
            forces[:, bead, axis], -(up - down) / 2e-5, rtol=1e-5, atol=1e-5
        )


def test_the_mirror_image_costs_energy(force_field) -> None:
    native = torch.tensor(make_helix())[None]
    mirror = native * torch.tensor([-1.0, 1.0, 1.0])
    energies = [force_field.compute(x)[0].item() for x in (native, mirror)]
    assert energies[1] - energies[0] > 5


@pytest.mark.random_outcome
def test_it_stays_folded_when_cold_and_unfolds_when_hot(
    force_field, tmp_path, margin, other_seed
) -> None:
    native = make_helix()
    far = {}
    for kelvin in (150.0, 3000.0):
        config = Config(
            mapping="", prior="", temperature_kelvin=kelvin, timestep_fs=4.0,
            friction_per_ps=5.0, n_steps=1500, n_steps_per_frame=500, device="cpu",
            max_bond_angstrom=20.0,
        )  # fmt: skip
        starts = np.repeat(native[None], 8, axis=0)
        frames = Propagator(config, force_field).propagate(
            States(starts, np.zeros_like(starts)), [other_seed + k for k in range(8)]
        )
        assert not frames.failed.any()
        far[kelvin] = measure_rmsd(frames.positions[:, -1], native).mean()
    margin("cold: RMSD, Angstrom", far[150.0], below=1.0)
    margin("hot: RMSD, Angstrom", far[3000.0], above=2.0)


def test_its_tables_survive_torchmds_file(mapping, tmp_path) -> None:
    tables = fit_go_model(mapping, make_helix()).tables
    read = read_tables(write_tables(tables, tmp_path / "go.yaml"))
    assert read.terms == tables.terms
    assert read.bonds == tables.bonds
    for key, series in tables.dihedrals.items():
        np.testing.assert_allclose(read.dihedrals[key], series)


def test_what_is_no_fold_is_refused(mapping) -> None:
    line = np.zeros((N_BEADS, 3))
    line[:, 0] = 3.8 * np.arange(N_BEADS)
    with pytest.raises(StructureError, match="nothing to hold"):
        fit_go_model(mapping, line)
    with pytest.raises(ShapeMismatchError, match="shape"):
        fit_go_model(mapping, make_helix(5))
