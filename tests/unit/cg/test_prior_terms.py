from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from apps.science.arrays import Array
from apps.science.cg.mapping import Mapping
from apps.science.cg.prior_tables import PriorTables, list_pairs
from apps.science.cg.prior_terms import Prior, build_prior
from apps.science.cg.prior_yaml import read_tables, write_tables
from apps.science.cg.priors import read_prior
from apps.science.errors import DataError

PUBLISHED = Path(__file__).parents[4] / "shared" / "data" / "cg_majewski"
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


def compute_with_torchmd(
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


def assert_same(mine: torch.Tensor, theirs: torch.Tensor) -> None:
    assert (mine - theirs).abs().max() < 1e-6 * theirs.abs().max()


def test_every_term_agrees_with_torchmd(
    octamer: Mapping, random_chains: Chains, tmp_path: Path
) -> None:
    tables = random_tables(octamer)
    file = write_tables(tables, tmp_path / "prior.yaml")
    positions = torch.as_tensor(random_chains(6, 8))
    energy, forces = read_prior(file, octamer).energy_and_forces(positions)
    names = ["bonds", "angles", "dihedrals", "repulsioncg"]
    theirs = compute_with_torchmd(file, octamer, positions, names)
    assert_same(energy, theirs[0])
    assert_same(forces, theirs[1])


def test_the_published_prior_agrees_with_torchmd(
    bead_chain: Callable[..., Mapping], random_chains: Chains
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


@pytest.mark.parametrize("term", ["bonds", "angles", "dihedrals", "repulsion"])
def test_every_force_is_minus_the_gradient(
    octamer: Mapping, random_chains: Chains, term: str
) -> None:
    prior = build_prior(octamer, replace(random_tables(octamer), terms=(term,)))
    positions = torch.as_tensor(random_chains(4, 8)).requires_grad_(True)
    energy, forces = prior.energy_and_forces(positions)
    (gradient,) = torch.autograd.grad(energy.sum(), positions)
    torch.testing.assert_close(forces, -gradient, rtol=1e-9, atol=1e-9)


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
