"""Compiled and tabulated force fields against the plain ones they stand for."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from apps.science.arrays import Array
from apps.science.cg.fast.activation_kernel import activate
from apps.science.cg.fast.dynamics import FastForceField
from apps.science.cg.fast.filters import evaluate, tabulate
from apps.science.cg.fast.network_arrays import SILU, TANH, can_tabulate
from apps.science.cg.fast.tabulated import TabulatedForceField
from apps.science.cg.force_field import ForceField
from apps.science.errors import ConfigError
from apps.science.models.potentials.base import build_network, read_config
from apps.science.propagators.cg import choose_inference

Fields = Callable[..., ForceField]
Chains = Callable[..., Array]


def test_the_compiled_prior_is_the_prior(make_field: Fields, chains: Chains) -> None:
    field = make_field(None)
    x = torch.tensor(chains(20))
    for mine, plain in zip(
        FastForceField(field).compute(x), field.compute(x), strict=True
    ):
        torch.testing.assert_close(mine, plain, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("form", ["compiled", "torch"])
def test_tabulated_forces_are_within_1e_4_of_the_exact_model(
    make_field: Fields, chains: Chains, network_name: str, form: str
) -> None:
    field = make_field(network_name)
    compiled = form == "compiled"
    fast = FastForceField(field) if compiled else TabulatedForceField(field, "cpu")
    x = torch.tensor(chains(30))
    prior_energy, prior_forces = field.prior.energy_and_forces(x)
    energy, forces = (a - b for a, b in zip(
        fast.compute(x), (prior_energy, prior_forces), strict=True))  # fmt: skip
    plain_energy, plain = (a - b for a, b in zip(
        field.compute(x), (prior_energy, prior_forces), strict=True))  # fmt: skip
    assert float((forces - plain).norm() / plain.norm()) < 5e-5
    typical = plain.norm(dim=-1).square().mean().sqrt()
    assert float((forces - plain).norm(dim=-1).max() / typical) < 5e-4
    torch.testing.assert_close(energy, plain_energy, rtol=1e-4, atol=1e-4)


def test_compiled_forces_are_minus_the_gradient_of_the_compiled_energy(
    make_field: Fields, chains: Chains, network_name: str
) -> None:
    fast = FastForceField(make_field(network_name))
    x = torch.tensor(chains(1))
    forces = fast.compute(x)[1][0]
    scale = float(forces.abs().max())
    for bead, axis in ((0, 0), (4, 1), (9, 2)):
        step = torch.zeros_like(x)
        step[0, bead, axis] = 1e-2
        rise = fast.compute(x + step)[0] - fast.compute(x - step)[0]
        found = -float(rise) / 2e-2
        assert found == pytest.approx(float(forces[bead, axis]), abs=5e-3 * scale)


def test_filters_and_their_slopes_have_no_steps(make_field: Fields) -> None:
    field = make_field("graph tanh")
    assert field.network is not None
    tables = tabulate(field.network)
    cubic = tables.coefficients.double()
    value, slope = cubic.sum(dim=2), cubic[:, :, 1] + 2 * cubic[:, :, 2]
    slope = slope + 3 * cubic[:, :, 3]
    # an interval's end is the next one's beginning, to the rounding of single numbers
    torch.testing.assert_close(value[:, :-1], cubic[:, 1:, 0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(slope[:, :-1], cubic[:, 1:, 1], rtol=1e-4, atol=1e-6)
    assert value[:, -1].abs().max() < 1e-6  # at the cutoff
    r = torch.linspace(3.0, 11.9, 57)
    place = r * (tables.n_intervals / tables.cutoff_angstrom)
    u = (place - place.floor())[:, None].double()
    a, b, c, d = cubic[:, place.long()].unbind(dim=2)
    torch.testing.assert_close(
        (a + u * (b + u * (c + u * d))).float(), evaluate(field.network, r, 0),
        rtol=1e-4, atol=1e-5,
    )  # fmt: skip


def test_far_pairs_feel_nothing(make_field: Fields) -> None:
    fast = FastForceField(make_field("cgschnet", 3))
    x = torch.zeros(1, 3, 3, dtype=torch.float64)
    x[0, :, 0] = torch.tensor([0.0, 3.8, 40.0])
    x[0, 2, 1] = 100.0
    field = make_field("cgschnet", 3)
    alone = fast.compute(x)[1] - field.prior.energy_and_forces(x)[1]
    assert float(alone[0, 2].abs().max()) == 0.0
    assert float(alone[0, 0].abs().max()) > 0.0


@pytest.mark.parametrize("kind", [SILU, TANH])
def test_activations_and_slopes(kind: int) -> None:
    x = np.linspace(-90, 90, 4001, dtype=np.float32).reshape(1, -1)
    value, slope = x.copy(), np.empty_like(x)
    activate(value, slope, np.empty(x.shape, np.int32), kind)
    leaf = torch.tensor(x.astype(float), requires_grad=True)
    exact = torch.nn.functional.silu(leaf) if kind == SILU else torch.tanh(leaf)
    (derivative,) = torch.autograd.grad(exact.sum(), leaf)
    np.testing.assert_allclose(value, exact.detach().numpy(), atol=1e-6, rtol=2e-6)
    np.testing.assert_allclose(slope, derivative.numpy(), atol=2e-6)


def test_a_model_without_filters_runs_exact_or_is_refused(
    make_field: Fields,
) -> None:
    field = make_field(None)
    field.network = build_network(
        read_config({"kind": "torchmd_net", "architecture": "tensornet",
                     "embedding_dimension": 16, "num_layers": 1})
    )  # fmt: skip
    assert not can_tabulate(field.network)
    assert choose_inference(field, "auto", "cpu") is field
    with pytest.raises(ConfigError, match="more than a distance"):
        choose_inference(field, "tabulated", "cpu")


def test_the_choice_of_inference(make_field: Fields) -> None:
    field = make_field("cgschnet")
    assert choose_inference(field, "exact", "cpu") is field
    assert isinstance(choose_inference(field, "auto", "cpu"), FastForceField)
    assert isinstance(choose_inference(field, "tabulated", "cpu"), FastForceField)
