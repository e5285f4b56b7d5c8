from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.science.arrays import Array
from apps.science.cg.mapping.mapping import Mapping
from apps.science.cg.prior.priors import read_prior
from apps.science.cg.prior.tables import PriorTables, Term, list_pairs
from apps.science.cg.prior.terms import Prior, build_prior
from apps.science.cg.prior.torchmd_yaml import read_tables, write_tables
from apps.science.errors import DataError

PUBLISHED = Path(__file__).parents[5] / "shared" / "data" / "cg_majewski"
Chains = Callable[..., Array]


def random_tables(mapping: Mapping, seed: int = 5) -> PriorTables:
    rng = np.random.default_rng(seed)
    kinds = sorted(set(mapping.types))
    pairs = {tuple(mapping.types[i] for i in b) for b in mapping.bonds}
    triples = {tuple(mapping.types[i] for i in a) for a in mapping.angles}
    return PriorTables(
        terms=("bonds", "angles", "dihedrals", "repulsion"),
        exclusions=("bonds",),
        bonds={t: (60 + 20 * rng.random(), 3.7 + 0.2 * rng.random()) for t in pairs},
        angles={t: (5 + rng.random(), 1.5 + 0.5 * rng.random()) for t in triples},
        dihedrals={("X",) * 4: ((0.4, 0.7, 1), (0.3, -1.2, 2))},
        repulsion={(t,): (3.5 + rng.random(), 0.2 + 0.1 * rng.random()) for t in kinds},
        masses=dict.fromkeys(kinds, 12.0),
    )


def assert_same(mine: torch.Tensor, theirs: torch.Tensor) -> None:
    assert (mine - theirs).abs().max() < 1e-6 * theirs.abs().max()


@pytest.mark.parametrize(
    ("terms", "names"),
    [(("bonds",), ["bonds"]), (("angles",), ["angles"]),
     (("dihedrals",), ["dihedrals"]),
     # without its bonds term torchmd excludes no pair
     (("bonds", "repulsion"), ["bonds", "repulsioncg"]),
     (("bonds", "angles", "dihedrals", "repulsion"),
      ["bonds", "angles", "dihedrals", "repulsioncg"])],
)  # fmt: skip
def test_every_term_agrees_with_torchmd(
    octamer: Mapping,
    random_chains: Chains,
    tmp_path: Path,
    compute_with_torchmd: Callable[..., Any],
    terms: tuple[Term, ...],
    names: list[str],
) -> None:
    tables = replace(random_tables(octamer), terms=terms)
    file = write_tables(tables, tmp_path / "prior.yaml")
    positions = torch.as_tensor(random_chains(6, 8))
    energy, forces = read_prior(file, octamer).energy_and_forces(positions)
    theirs = compute_with_torchmd(file, octamer, positions, names)
    assert_same(energy, theirs[0])
    assert_same(forces, theirs[1])


def test_the_published_prior_agrees_with_torchmd(
    bead_chain: Callable[..., Mapping],
    random_chains: Chains,
    compute_with_torchmd: Callable[..., Any],
) -> None:
    file = PUBLISHED / "prior_force_field.yaml"
    if not file.exists():
        pytest.skip(f"{file.name} of the published C-alpha models is not at hand")
    chignolin = bead_chain([f"CA{letter}" for letter in "YYDPETGTWY"])
    positions = torch.as_tensor(random_chains(8, 10))
    energy, forces = read_prior(file, chignolin).energy_and_forces(positions)
    theirs = compute_with_torchmd(
        file, chignolin, positions, ["bonds", "dihedrals", "repulsioncg"]
    )
    assert_same(energy, theirs[0])
    assert_same(forces, theirs[1])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    term=st.sampled_from(["bonds", "angles", "dihedrals", "repulsion"]),
    seed=st.integers(0, 2**16),
    stretch=st.floats(0.6, 1.6),
    flatness=st.floats(0.0, 0.95),
)
def test_every_force_is_minus_the_gradient(
    bead_chain: Callable[..., Mapping],
    random_chains: Chains,
    term: Term,
    seed: int,
    stretch: float,
    flatness: float,
) -> None:
    """Of any term, for any parameters and any shape of the chain."""
    types = ["CAA", "CAG", "CAA", "CAY", "CAP", "CAG", "CAW", "CAA"]
    chain = bead_chain(types)
    prior = build_prior(chain, replace(random_tables(chain, seed), terms=(term,)))
    frames = stretch * random_chains(4, 8, seed)
    frames[..., 2] *= 1.0 - flatness  # near a plane, where dihedrals turn over
    positions = torch.as_tensor(frames).requires_grad_(True)
    energy, forces = prior.energy_and_forces(positions)
    (gradient,) = torch.autograd.grad(energy.sum(), positions)
    scale = float(gradient.abs().max())
    torch.testing.assert_close(forces, -gradient, rtol=1e-8, atol=1e-9 * scale)


def test_the_gates_dynamics_has_the_same_forces(
    octamer: Mapping, random_chains: Chains
) -> None:
    """OpenMM under the same numbers: energies and forces of all replicas at once."""
    import openmm

    from apps.science.cg.prior.dynamics import build_system
    from apps.science.units import ANGSTROM_PER_NM, FORCE_OPENMM_TO_KCAL, KCAL_PER_KJ

    prior = build_prior(octamer, random_tables(octamer))
    frames = random_chains(5, 8)
    energy, forces = prior.energy_and_forces(torch.as_tensor(frames))
    context = openmm.Context(
        build_system(prior, octamer, len(frames)),
        openmm.VerletIntegrator(0.001),
        openmm.Platform.getPlatformByName("Reference"),
    )
    context.setPositions(frames.reshape(-1, 3) / ANGSTROM_PER_NM)
    state = context.getState(energy=True, forces=True)
    theirs = state.getPotentialEnergy()._value * KCAL_PER_KJ
    their_forces = np.asarray(state.getForces(asNumpy=True)._value)
    their_forces = their_forces.reshape(frames.shape) * FORCE_OPENMM_TO_KCAL
    assert float(energy.sum()) == pytest.approx(theirs, rel=1e-9)
    scale = np.abs(their_forces).max()
    np.testing.assert_allclose(forces.numpy(), their_forces, atol=1e-9 * scale)


def test_net_force_and_torque_vanish(octamer: Mapping, random_chains: Chains) -> None:
    positions = torch.as_tensor(random_chains(4, 8))
    _, forces = build_prior(octamer, random_tables(octamer)).energy_and_forces(
        positions
    )
    torque = torch.linalg.cross(positions, forces).sum(dim=1)
    assert forces.sum(dim=1).abs().max() < 1e-9
    assert torque.abs().max() < 1e-8


def test_a_replica_feels_the_same_force_in_any_company(
    octamer: Mapping, random_chains: Chains
) -> None:
    prior = build_prior(octamer, random_tables(octamer))
    packed = torch.as_tensor(random_chains(64, 8), dtype=torch.float32)
    _, together = prior.energy_and_forces(packed)
    _, alone = prior.energy_and_forces(packed[17:18])
    torch.testing.assert_close(together[17:18], alone, rtol=1e-5, atol=1e-5)


def test_single_precision_follows_double(
    octamer: Mapping, random_chains: Chains
) -> None:
    prior = build_prior(octamer, random_tables(octamer))
    positions = torch.as_tensor(random_chains(16, 8))
    _, double = prior.energy_and_forces(positions)
    _, single = prior.energy_and_forces(positions.float())
    assert single.dtype == torch.float32
    assert (double - single).abs().max() < 1e-4 * double.abs().max()


def test_a_lost_replica_does_not_touch_the_others(
    octamer: Mapping, random_chains: Chains
) -> None:
    prior: Prior = build_prior(octamer, random_tables(octamer))
    positions = torch.as_tensor(random_chains(3, 8))
    positions[1] = torch.nan
    _, forces = prior.energy_and_forces(positions)
    assert torch.isfinite(forces[[0, 2]]).all()


def test_v1_excludes_one_to_four(octamer: Mapping) -> None:
    near = list_pairs(octamer, ("bonds",))
    far = list_pairs(octamer, ("bonds", "angles", "1-4"))
    assert min(j - i for i, j in near) == 2
    assert min(j - i for i, j in far) == 4


def test_tables_survive_their_file(octamer: Mapping, tmp_path: Path) -> None:
    tables = replace(random_tables(octamer), temperature_kelvin=300.0)
    back = read_tables(write_tables(tables, tmp_path / "prior.yaml"))
    assert back.terms == tables.terms
    assert back.exclusions == tables.exclusions
    assert back.bonds == tables.bonds
    assert back.temperature_kelvin == 300.0
    for types, (k, theta0) in tables.angles.items():
        assert back.angles[types] == pytest.approx((k, theta0), rel=1e-12)


def test_a_type_without_parameters_is_named(octamer: Mapping) -> None:
    tables = replace(random_tables(octamer), bonds={("CAA", "CAG"): (75.0, 3.8)})
    with pytest.raises(DataError, match="no bond parameters for CAA - CAY"):
        build_prior(octamer, tables)
