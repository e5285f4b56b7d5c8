"""CGSchNet: its written-out forces, its splines, its pairs and its sequence channel."""

from typing import Any

import pytest
import torch
from torch import Tensor

from apps.science.models.potentials import _pairs
from apps.science.models.potentials._sequence import number_along_chains
from apps.science.models.potentials._spline import Knots, weigh_taps
from apps.science.models.potentials.base import (
    build_network,
    complete_settings,
    describe_briefly,
    read_config,
)


def build(**settings: object) -> Any:
    torch.manual_seed(1)
    small = {"kind": "cgschnet", "embedding_dimension": 16, "num_layers": 3}
    return build_network(read_config(small | settings)).double()


def draw_positions(n_replicas: int, n_beads: int) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    steps = torch.randn(
        n_replicas, n_beads, 3, generator=generator, dtype=torch.float64
    )
    return (3.8 * steps / steps.norm(dim=-1, keepdim=True)).cumsum(dim=1)


def name_beads(n_beads: int) -> Tensor:
    return torch.arange(n_beads) % 20 + 1


@pytest.mark.parametrize("n_beads", [7, 40])
@pytest.mark.parametrize("settings", [{}, {"num_layers": 1}, {"sequence_range": 0}])
def test_written_out_forces_and_their_gradients_are_autograds(
    n_beads: int, settings: dict[str, int]
) -> None:
    network, positions = build(**settings), draw_positions(3, n_beads)
    beads = name_beads(n_beads)
    leaf = positions.clone().requires_grad_(True)
    energy = network.energy(leaf, beads)
    forces = -torch.autograd.grad(energy.sum(), leaf, create_graph=True)[0]
    found = network.energy_and_forces(positions, beads)
    torch.testing.assert_close(found, (energy, forces), rtol=1e-9, atol=1e-10)
    parameters = list(network.parameters())
    target = torch.roll(forces.detach(), 1, dims=0)
    expected, got = (
        torch.autograd.grad((f - target).square().sum() + e.sum(), parameters)
        for e, f in ((energy, forces), found)
    )
    torch.testing.assert_close(got, expected, rtol=1e-8, atol=1e-9)
    with torch.no_grad():
        kept = network.energy_and_forces(positions, beads)
    torch.testing.assert_close(kept, (energy.detach(), forces.detach()))


def test_parts_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    network, positions = build(), draw_positions(6, 9)
    whole = network.energy_and_forces(positions, name_beads(9))
    monkeypatch.setattr(_pairs, "_PART_BYTES", 4 * 16 * 40)  # a replica at a time
    parts = network.energy_and_forces(positions, name_beads(9))
    torch.testing.assert_close(parts, whole)


@pytest.mark.parametrize("spacing", [0.0, 0.2])
def test_a_crowd_has_all_its_neighbours(
    spacing: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """90 beads in a ball, each with 89 neighbours: no list overflows."""
    network = build(filter_spacing_angstrom=spacing)
    generator = torch.Generator().manual_seed(5)
    positions = 2.0 * torch.randn(1, 90, 3, generator=generator, dtype=torch.float64)
    near = network.energy_and_forces(positions, name_beads(90))
    monkeypatch.setattr(
        "apps.science.models.potentials._pairs.N_BEADS_ALL_PAIRS", 100
    )  # every pair, whatever its length
    every = network.energy_and_forces(positions, name_beads(90))
    torch.testing.assert_close(near, every, rtol=1e-9, atol=1e-9)


@pytest.mark.random_outcome
def test_splines_come_close_to_the_filters_they_stand_for(margin) -> None:
    """On chains whose beads keep 3.5 Angstrom apart, as C-alpha beads do."""
    chains = draw_positions(400, 6)
    lengths = torch.cdist(chains, chains) + 9.0 * torch.eye(6)
    chains, beads = chains[lengths.amin(dim=(1, 2)) > 3.5], name_beads(6)
    assert len(chains) > 4
    exact = build(filter_spacing_angstrom=0.0).energy_and_forces(chains, beads)[1]
    errors = []
    for spacing in (0.2, 0.1, 0.025):
        splined = build(filter_spacing_angstrom=spacing)
        away = splined.energy_and_forces(chains, beads)[1] - exact
        errors.append(float((away.norm() / exact.norm()).detach()))
    margin("0.1 / 0.2", errors[1] / errors[0], below=1)
    margin("0.025 / 0.1", errors[2] / errors[1], below=1)
    margin("spacing 0.1", errors[1], below=0.03)
    margin("spacing 0.025", errors[2], below=0.01)


def test_spline_weights_sum_to_one_and_slopes_are_their_derivative() -> None:
    u = torch.linspace(0.0, 1.0, 11, dtype=torch.float64).requires_grad_(True)
    value, slope = weigh_taps(u)
    torch.testing.assert_close(value.sum(dim=1), torch.ones_like(u))
    for tap in range(4):
        (derivative,) = torch.autograd.grad(value[:, tap].sum(), u, retain_graph=True)
        torch.testing.assert_close(derivative, slope[:, tap])


def test_splines_vanish_from_the_cutoff_on() -> None:
    knots = Knots(12.0, 0.2)
    rows = torch.arange(knots.n_rows)
    table = (knots.places(rows) < knots.last_place - 1e-6).double().unsqueeze(-1)
    lengths = torch.tensor([3.0, 11.9, 12.0, 15.0], dtype=torch.float64)
    taps = knots.find_taps(lengths, torch.zeros(4, dtype=torch.long))
    found = taps.mix(table, slice(None)).squeeze(-1)
    assert found[0] == pytest.approx(1.0)
    assert found[1] > 0.0
    assert found[2:].tolist() == pytest.approx([0.0, 0.0], abs=1e-12)


def test_kept_tables_follow_the_weights() -> None:
    network, positions = build(), draw_positions(2, 6)
    beads = name_beads(6)
    with torch.no_grad():
        before, _ = network.energy_and_forces(positions, beads)
        for parameter in network.interactions.parameters():
            parameter.mul_(1.1)
        after, _ = network.energy_and_forces(positions, beads)
    torch.testing.assert_close(after, network.energy(positions, beads).detach())
    assert (before - after).abs().max() > 1e-3


def test_edges_know_their_distance_along_the_chain() -> None:
    """The same beads in the same place, in one chain or in two, differ in energy."""
    network, positions = build(), draw_positions(1, 8)
    beads = name_beads(8)
    resids, bonds = [*range(1, 9)], [(i, i + 1) for i in range(7)]
    one = torch.tensor(number_along_chains(resids, bonds))
    two = torch.tensor(number_along_chains(resids, bonds[:3] + bonds[4:]))
    counted = network.energy(positions, beads)
    torch.testing.assert_close(network.energy(positions, beads, one), counted)
    assert (network.energy(positions, beads, two) - counted).abs() > 1e-4
    deaf = build(sequence_range=0)
    torch.testing.assert_close(
        deaf.energy(positions, beads, one), deaf.energy(positions, beads, two)
    )


def test_beads_beyond_the_range_are_all_alike() -> None:
    network, positions = build(sequence_range=3), draw_positions(1, 2)
    beads = name_beads(2)
    apart = [network.energy(positions, beads, torch.tensor([1, 1 + k])).item()
             for k in range(1, 8)]  # fmt: skip
    assert len(set(apart[:4])) == 4
    assert len(set(apart[3:])) == 1


def test_pieces_of_a_chain_are_never_neighbours() -> None:
    bonds = [(0, 1), (2, 3)]
    numbers = number_along_chains([5, 6, 7, 8], bonds)
    assert numbers[1] - numbers[0] == numbers[3] - numbers[2] == 1
    assert abs(numbers[2] - numbers[1]) > 1000


def place_pair(distance: float, n_beads: int = 2) -> Tensor:
    """Return two beads so far apart, (1, 2, 3)."""
    positions = torch.zeros(1, n_beads, 3, dtype=torch.float64)
    positions[0, 1, 0] = distance
    return positions


@pytest.mark.parametrize("spacing", [0.0, 0.2])
def test_no_force_on_a_pair_at_distances_that_no_frame_had(spacing: float) -> None:
    network, beads = build(filter_spacing_angstrom=spacing), name_beads(2)
    free = network.energy_and_forces(place_pair(3.0), beads)[1]
    for seen in (4.0, 5.0):
        network.see(place_pair(seen))
    assert network.seen_angstrom[1].tolist() == [4.0, 5.0]
    assert network.seen_angstrom[2, 0] > network.seen_angstrom[2, 1]
    forces = {
        r: network.energy_and_forces(place_pair(r), beads)[1].detach().abs().max()
        for r in (2.0, 3.0, 4.5, 13.0)
    }
    assert free.detach().abs().max() > 0.1
    assert forces[2.0] < 1e-6 > forces[3.0]
    assert forces[4.5] > 0.1
    assert forces[13.0] == 0


def test_forces_are_autograds_where_filters_are_held() -> None:
    network, positions = build(), draw_positions(3, 7)
    network.see(1.2 * positions[:1])
    leaf = positions.clone().requires_grad_(True)
    energy = network.energy(leaf, name_beads(7))
    (gradient,) = torch.autograd.grad(energy.sum(), leaf)
    found = network.energy_and_forces(positions, name_beads(7))
    torch.testing.assert_close(found, (energy, -gradient), rtol=1e-9, atol=1e-10)
    free = build(hold_filters=False).energy(positions, name_beads(7))
    assert (free - energy).abs().min() > 1e-3


def test_a_training_that_holds_filters_is_not_one_of_before_they_were() -> None:
    free = read_config({"kind": "cgschnet", "hold_filters": False})
    assert describe_briefly(free) == {}  # as every version said
    assert describe_briefly(read_config({"kind": "cgschnet"})) == {"hold_filters": True}
    assert complete_settings({"kind": "cgschnet"})["hold_filters"] is False
    assert complete_settings({"kind": "torchmd_net"}) == {"kind": "torchmd_net"}


def test_what_was_seen_is_kept_with_the_weights() -> None:
    network, positions = build(), draw_positions(3, 7)
    network.see(positions)
    other = build()
    other.load_state_dict(network.state_dict())
    torch.testing.assert_close(
        other.energy(positions / 2, name_beads(7)),
        network.energy(positions / 2, name_beads(7)),
    )
