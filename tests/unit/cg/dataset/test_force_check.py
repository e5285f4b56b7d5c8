"""Forces that do not belong to their positions are told from those that do."""

import logging
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from apps.science.arrays import Array
from apps.science.cg.dataset.force_check import check_response, measure_response
from apps.science.errors import DataError
from apps.science.units import thermal_energy

KELVIN = 300.0
N_FRAMES, N_BEADS = 2000, 8
BONDS = [(k, k + 1) for k in range(N_BEADS - 1)]
STIFFNESS = 300.0  # kcal/mol/Angstrom^2, of a C-alpha bond
NOISE = 30.0  # kcal/mol/Angstrom, of the solvent and of the atoms that are left out


def sample(
    seed: int = 1, kelvin: float = KELVIN, noise: float = NOISE
) -> tuple[Array, Array]:
    """Return a chain of springs in equilibrium, and its forces with noise."""
    rng = np.random.default_rng(seed)
    n = N_FRAMES * len(BONDS)
    # r^2 exp(-u/kT), by choosing among many Gaussian stretches by r^2
    many = 3.8 + rng.normal(size=20 * n) * np.sqrt(thermal_energy(kelvin) / STIFFNESS)
    length = rng.choice(many, n, p=many**2 / (many**2).sum()).reshape(N_FRAMES, -1)
    way = rng.normal(size=(*length.shape, 3))
    way /= np.linalg.norm(way, axis=-1, keepdims=True)
    steps = length[..., None] * way
    positions = np.concatenate(
        [np.zeros((N_FRAMES, 1, 3)), steps.cumsum(axis=1)], axis=1
    )
    pull = STIFFNESS * (length - 3.8)[..., None] * way
    forces = rng.normal(size=positions.shape) * noise
    forces[:, :-1] += pull
    forces[:, 1:] -= pull
    return positions, forces


def check(positions: Array, forces: Array, kelvin: float = KELVIN, **more: Any) -> Any:
    mapping: Any = SimpleNamespace(bonds=BONDS, describe_bead=lambda k: f"bead {k}")
    return check_response(positions, forces, mapping, kelvin, **more)


@pytest.mark.random_outcome
def test_the_ratio_is_one_in_equilibrium(margin: Any) -> None:
    found = [measure_response(*sample(k), np.array(BONDS), KELVIN) for k in range(20)]
    pulls = np.array([(f.ratio - 1) / f.error for f in found if f])
    assert len(pulls) == 20
    # errors of 40 blocks: Student's t of 39 degrees, 20 times
    margin("farthest from one of 20, in errors", abs(pulls).max(), below=6)
    margin("mean of 20 from one, in errors", abs(pulls.mean()) * 20**0.5, below=5)


def swap(forces: Array) -> Array:
    order = list(range(N_BEADS))
    order[2], order[5] = order[5], order[2]
    return forces[:, order]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: -f, "multiply them by -1."),
        (lambda f: -41.84 * f, "multiply them by -1, and by 0.02"),
        (lambda f: 41.84 * f, "set force_unit: kJ/mol/nm"),
        (lambda f: f / 41.84, "divided by 41.84 once too often"),
        (lambda f: 4.184 * f, "kJ/mol/Angstrom: divide them by 4.184"),
        (lambda f: f / 4.184, "divided by 4.184 once too often"),
        (lambda f: f / 23.06, "eV/Angstrom"),
        (lambda f: f / 1185.8, "Hartree/Bohr"),
        (lambda f: 1000 * f, "another unit: divide them by about"),
        (lambda f: np.roll(f, 1, axis=0), "stand 1 row later"),
        (lambda f: np.roll(f, -2, axis=0), "stand 2 rows earlier"),
        (lambda f: f[::-1], "Their frames run backwards"),
        (lambda f: f[:, ::-1], "Their atoms run backwards"),
        (lambda f: np.random.default_rng(3).permutation(f), "another order"),
        (lambda f: f[:, np.random.default_rng(3).permutation(N_BEADS)],
         "another order"),
        (lambda f: np.random.default_rng(3).normal(size=f.shape) * 30, "another order"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_forces_is_said(spoil: Any, said: str) -> None:
    positions, forces = sample()
    with pytest.raises(DataError) as caught:
        check(positions, spoil(forces), constrained=False)
    assert said in str(caught.value)


def test_forces_of_two_atoms_swapped_are_refused_with_those_atoms() -> None:
    positions, forces = sample(noise=10.0)
    said = r"on 2 of 8 beads .*\(bead 2, bead 5\).*another order"
    with pytest.raises(DataError, match=said):
        check(positions, swap(forces))


def test_honest_sets_pass(caplog: pytest.LogCaptureFixture) -> None:
    positions, forces = sample()
    assert check(positions, forces) is not None
    check(positions, forces, constrained=False)
    check(positions, forces, weight=np.random.default_rng(0).random(N_FRAMES))
    check(
        positions + np.random.default_rng(0).normal(size=positions.shape) * 1e-3, forces
    )
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        check(*sample(kelvin=600.0))  # said to be of 300 K
    assert "check the unit of the forces and temperature_kelvin" in caplog.text


def test_sets_that_cannot_tell_are_let_pass() -> None:
    positions, forces = sample()
    assert check(positions[:50], -forces[:50]) is None
    rigid = positions.copy()
    rigid[:] = positions[0]
    assert check(rigid, -forces) is None
    mapping: Any = SimpleNamespace(bonds=[])
    assert check_response(positions, -forces, mapping, KELVIN) is None


@pytest.mark.random_outcome
@pytest.mark.parametrize("n_frames", [80, 150, 400])
def test_small_honest_sets_are_hardly_ever_refused(n_frames: int, margin: Any) -> None:
    positions, forces = sample()
    refused = 0
    for start in range(0, N_FRAMES - n_frames, 40):
        rows = slice(start, start + n_frames)
        try:
            check(positions[rows], forces[rows], constrained=False)
        except DataError:
            refused += 1
    margin(f"honest sets of {n_frames} frames refused", refused, below=1)


def test_what_constraints_pull_may_be_missing(caplog: pytest.LogCaptureFixture) -> None:
    positions, forces = sample(noise=0.0)
    noise = np.random.default_rng(5).normal(size=forces.shape) * NOISE
    with caplog.at_level(logging.WARNING):
        check(positions, 0.1 * forces + noise)
        check(positions[:200], noise[:200])
        check(positions, noise, constrained=True)
    assert caplog.text.count("constrained") == 3
    with pytest.raises(DataError, match="another order"):
        check(positions, noise, constrained=False)
    with pytest.raises(DataError, match="multiply them by -1"):
        check(positions, -0.1 * forces - noise)
