"""Weights decide what is learnt from WE frames: the toy with an exact answer.

Walkers are spread evenly along the progress coordinate, so frames alone follow another
law than equilibrium. Where models cannot see the progress coordinate (y), only the
weighted loss finds the free energy of x; where they can, both losses share a minimiser.
"""

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from apps.science.cg.checkpoint import load_network
from apps.science.cg.dataset.file import SCHEMA, create_file
from apps.science.learning.loop import train
from apps.science.plugins import staying_with_folder, use_folder
from apps.science.tasks.force_matching.config import TrainingConfig, TrainingJob

HERE = Path(__file__).parent


def load_toy() -> ModuleType:
    spec = importlib.util.spec_from_file_location("toy", HERE / "toy_ensemble.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["toy"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


toy = load_toy()
EXACT = toy.exact_density()


@pytest.fixture(autouse=True)
def polynomial() -> Iterator[None]:
    """Use the models of the folder of plug-ins beside this file."""
    with staying_with_folder():
        use_folder(HERE / "outside")
        yield


def write_frames(pcoord: int, seed: int, path: Path) -> Path:
    frames = toy.sample(pcoord, seed)
    vectors = np.zeros((2, len(frames.x), 1, 3), dtype="f4")
    vectors[0, :, 0, 0], vectors[1, :, 0, 0] = frames.x, frames.force
    with create_file(path) as h5:
        h5.create_group("meta").attrs["schema"] = SCHEMA
        group = h5.create_group("mol/toy")
        group["z"] = np.array([1])
        group["pos"], group["delta"] = vectors
        group["weight"] = frames.weight
        group["split"] = (frames.n_iter % 10 == 0).astype("i1")
    return path


@dataclass
class Learnt:
    """KL(exact || learnt) of the density of x, and its probability of x > 0."""

    kl: float
    p_right: float


def learn(
    dataset: Path, out: Path, weighted: bool, sampling: str = "uniform"
) -> Learnt:
    config = TrainingConfig(
        weighted=weighted, sampling=sampling, n_epochs=10, batch_size=2048,
        learning_rate=0.3, learning_rate_min=1e-3, weight_decay=0.0, ema_decay=0.0,
        gradient_clip=1e6, patience=100,
    )  # fmt: skip
    model = {"kind": "polynomial", "degree": 7}
    job = TrainingJob(
        dataset=dataset, out=out, seed=1, device="cpu", model=model, training=config
    )
    assert train(job)
    network = load_network(out / "checkpoints" / "best.pt")
    positions = torch.zeros(len(toy.GRID), 1, 3)
    positions[:, 0, 0] = torch.as_tensor(toy.GRID)
    with torch.no_grad():
        energy = network.energy(positions, torch.tensor([1])).double().numpy()
    density = np.exp(energy.min() - energy)
    density /= density.sum()
    kl = float(EXACT @ np.log(EXACT / density))
    return Learnt(kl, float(density[toy.GRID > 0].sum()))


def test_the_exact_probability_is_the_known_one() -> None:
    assert EXACT[toy.GRID > 0].sum() == pytest.approx(0.2226, abs=2e-4)


@pytest.mark.random_outcome
@pytest.mark.parametrize("seed", range(5))
def test_only_weights_find_the_free_energy_past_a_hidden_coordinate(
    seed: int, tmp_path: Path, margin
) -> None:
    dataset = write_frames(1, seed, tmp_path / "dataset.h5")
    weighted = learn(dataset, tmp_path / "weighted", weighted=True)
    unweighted = learn(dataset, tmp_path / "unweighted", weighted=False)
    margin("weighted: kl", weighted.kl, below=0.005)
    margin("unweighted: kl", unweighted.kl, above=0.05)
    margin("weighted: off", weighted.p_right - 0.2226, near=0.0, within=0.03)
    margin("unweighted: off", abs(unweighted.p_right - 0.2226), above=0.1)


@pytest.mark.random_outcome
@pytest.mark.parametrize("seed", range(5))
def test_both_losses_agree_where_the_coordinate_is_visible(
    seed: int, tmp_path: Path, margin
) -> None:
    dataset = write_frames(0, seed, tmp_path / "dataset.h5")
    for weighted in (True, False):
        kl = learn(dataset, tmp_path / str(weighted), weighted).kl
        margin(f"weighted {weighted}: kl", kl, below=0.03)


@pytest.mark.random_outcome
def test_drawing_by_weight_finds_it_too(tmp_path: Path, margin) -> None:
    dataset = write_frames(1, 0, tmp_path / "dataset.h5")
    drawn = learn(dataset, tmp_path / "drawn", weighted=True, sampling="weighted")
    margin("kl", drawn.kl, below=0.005)
