"""Each dihedral is judged by itself."""

import numpy as np
import pytest

from apps.science.metrics.conformations.base import Beads, Comparison, WeightedSet
from apps.science.metrics.conformations.torsions import Metric
from apps.science.resampling import plan_resampling
from apps.science.segments.frames import WeightedFrames

N = 4000


def chains(first_deg: np.ndarray, second_deg: np.ndarray) -> np.ndarray:
    """Return five beads at right angles with the two dihedrals that are given."""
    a, b = np.radians(first_deg), np.radians(second_deg)
    x = np.zeros((len(a), 5, 3))
    x[:, 0] = np.stack([np.zeros_like(a), np.cos(a), -np.sin(a)], axis=1)
    x[:, 2, 0] = 1.0
    x[:, 3] = [1.0, 1.0, 0.0]
    # of the axis bead 2 -> bead 3, y; bead 1 lies at -x from bead 2
    x[:, 4] = np.stack([1 - np.cos(b), np.ones_like(b), np.sin(b)], axis=1)
    return x


def weigh(positions: np.ndarray) -> WeightedSet:
    n = len(positions)
    return WeightedSet.from_frames(
        WeightedFrames(
            positions=positions.astype(np.float32), weight=np.ones(n),
            lineage=np.arange(n) // 100, trajectory=np.zeros(n, dtype=int),
            time_ps=np.arange(1.0, n + 1),
        )
    )  # fmt: skip


def compare(reference: np.ndarray, model: np.ndarray):
    beads = Beads(
        5,
        np.stack([np.arange(4), np.arange(1, 5)], 1),
        np.array([[0, 1, 2], [1, 2, 3], [2, 3, 4]]),
        np.array([[0, 1, 2, 3], [1, 2, 3, 4]]),
    )
    sets = weigh(reference), weigh(model)
    plan = plan_resampling(sets[0].n_blocks, sets[1].n_blocks, 50, 1)
    return Metric().compare(Comparison(*sets, plan, sets[1], plan, beads))


@pytest.mark.random_outcome
def test_one_wrong_dihedral_is_named(margin) -> None:
    rng = np.random.default_rng(3)
    right, also = rng.normal(60, 20, (2, N))
    wrong = rng.normal(-60, 20, N)
    found = compare(chains(right, right), chains(also, wrong))
    first, second = found.details["each"]
    margin("right: js", first["js"], below=0.02)
    margin("wrong: js", second["js"], near=np.log(2), within=0.02)
    assert found.figures["worst_js"].value == pytest.approx(second["js"])
    positive = first["reference_positive"]
    margin("positive", positive, near=0.9987, within=0.003)
    assert first["model_positive"] > 0.9
    assert second["model_positive"] < 0.1


@pytest.mark.random_outcome
def test_a_model_that_is_the_reference_differs_by_nothing(margin) -> None:
    rng = np.random.default_rng(5)
    x = chains(rng.normal(-80, 30, N), rng.uniform(-180, 180, N))
    found = compare(x, x)
    assert found.figures["worst_js"].value == 0
    assert found.figures["worst_js"].floor > 0
    halves = [d["js_between_halves_of_model"] for d in found.details["each"]]
    margin("halves: js", max(halves), above=0, below=0.03)
