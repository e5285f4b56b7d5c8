"""Noise stands in for forces: the blurred density's mean force, with less variance."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from apps.science.errors import DataError
from apps.science.learning.loop import train
from apps.science.tasks.force_matching.config import TrainingJob
from apps.science.tasks.force_matching.data import read_training_data
from apps.science.tasks.force_matching.noise import (
    draw_normal,
    mix_forces,
    prepare_noise,
    weigh_parts,
)

KT, SPREAD, WIDTH, ROUGH = 0.6, 0.8, 0.5, 4.0
N = 1_000_000


def draw_harmonic(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return r of a harmonic well, its force with noise of other atoms, and e."""
    generator = torch.Generator().manual_seed(4 + seed)
    r, rough, normal = torch.randn(3, N, 1, 3, generator=generator)
    return SPREAD * r, -KT * r / SPREAD + ROUGH * rough, normal


@pytest.mark.random_outcome
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0, None])
def test_every_mixture_has_the_force_of_the_blurred_well(
    share: float | None, margin, other_seed
) -> None:
    """A Gaussian of width a blurred by s is one of width sqrt(a^2 + s^2)."""
    r, forces, normal = draw_harmonic(other_seed)
    parts = weigh_parts(forces, torch.ones(N), KT / WIDTH)
    used = parts if share is None else torch.full((1, 1), share)
    x = r + WIDTH * normal
    mixed = mix_forces(forces, normal, KT / WIDTH, used)
    slope = float((x * mixed).mean() / x.square().mean())
    exact = -KT / (SPREAD**2 + WIDTH**2)
    margin("slope off", slope - exact, near=0.0, within=0.02)


@pytest.mark.random_outcome
def test_the_mixture_scatters_less_than_either_part(margin, other_seed) -> None:
    r, forces, normal = draw_harmonic(other_seed)
    share = weigh_parts(forces, torch.ones(N), KT / WIDTH)
    scatter = []
    for used in (share, torch.zeros(1, 1), torch.ones(1, 1)):
        x = r + WIDTH * normal
        mixed = mix_forces(forces, normal, KT / WIDTH, used)
        mean = -KT * x / (SPREAD**2 + WIDTH**2)
        scatter.append(float((mixed - mean).square().mean()))
    margin("mixed / forces", scatter[0] / scatter[1], below=1)
    margin("mixed / noise", scatter[0] / scatter[2], below=0.2)
    margin("share", share, below=0.1)


@pytest.mark.random_outcome
def test_pairs_find_the_force_from_positions_alone(margin, other_seed) -> None:
    """Noise a fortieth of the well's width, whose own force says nothing unpaired."""
    r, forces, normal = draw_harmonic(other_seed)
    width, none = SPREAD / 40, torch.zeros(1, 1)
    sides = [
        (r + sign * width * normal, mix_forces(forces, sign * normal, KT / width, none))
        for sign in (1.0, -1.0)
    ]
    products = sum((x * target).flatten(1).sum(1) for x, target in sides)
    squares = sum(x.square().mean() for x, _ in sides)
    expected = -KT / (SPREAD**2 + width**2)
    found = float(products.mean() / squares / 3)
    margin("slope / exact", found / expected, near=1.0, within=0.02)
    alone = (sides[0][0] * sides[0][1]).flatten(1).sum(1)
    spread = float(products.std() / 2 / alone.std())
    margin("spread / unpaired", spread, below=0.1)


@pytest.mark.random_outcome
def test_training_by_pairs_validates_on_the_frames_as_they_are(
    two_proteins: Path, make_job: Callable[..., TrainingJob], margin
) -> None:
    pairs = {"noise_angstrom": 0.01, "noise_pairs": True, "noise_force_share": 0.4}
    losses = {}
    for name, settings in {"plain": {}, "pairs": pairs}.items():
        job = make_job(name, n_epochs=1, learning_rate=1e-9, **settings)
        train(job.model_copy(update={"dataset": two_proteins}))
        with (job.out / "metrics.csv").open() as file:
            losses[name] = next(csv.DictReader(file))
    validated = [float(row["val_loss_weighted"]) for row in losses.values()]
    assert validated[0] == pytest.approx(validated[1], rel=1e-4)
    trained = [float(row["train_loss"]) for row in losses.values()]
    margin("loss / plain", trained[1] / trained[0], above=100)


def test_the_target_is_what_the_prior_leaves_at_the_displaced_frame(
    two_proteins: Path,
) -> None:
    """With no share of noise, the target moves by the change of the prior alone."""
    data = read_training_data(two_proteins)
    protein = data.proteins[0]
    (noise, _) = prepare_noise(data, 0.05, "cpu")
    assert noise is not None
    rows = np.arange(8)
    positions, targets = protein.train.read(rows)
    normal = draw_normal(tuple(positions.shape), rows, 1, "noise")
    moved, found = noise.displace(positions, targets, normal)
    prior = noise.prior.energy_and_forces
    whole = targets + prior(positions)[1]
    mixed = mix_forces(whole, normal, noise.force, noise.share)
    torch.testing.assert_close(found + prior(moved)[1], mixed, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(moved, positions + 0.05 * normal)


def test_places_of_a_draw_do_not_depend_on_who_asks() -> None:
    whole = draw_normal((6, 4, 3), np.arange(6), 1, "noise", 2)
    for rank in range(2):
        places = np.arange(rank, 6, 2)
        part = draw_normal((6, 4, 3), places, 1, "noise", 2)
        assert torch.equal(part, whole[torch.as_tensor(places)])


def test_noise_needs_a_set_that_holds_its_prior(
    make_job: Callable[..., TrainingJob],
) -> None:
    with pytest.raises(DataError, match="needs the prior at displaced frames"):
        train(make_job("bare", noise_angstrom=0.1))


def test_every_bead_learns_from_forces_and_from_noise(two_proteins: Path) -> None:
    data = read_training_data(two_proteins)
    for noise in prepare_noise(data, 0.1, "cpu"):
        assert noise is not None
        assert ((noise.share > 0.0) & (noise.share < 1.0)).all()
