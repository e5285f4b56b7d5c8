"""Timescales and passage times against Markov chains that are known exactly."""

import numpy as np
import pytest

from apps.science.metrics.conformations import passage, timescales
from apps.science.metrics.conformations._basins import find_valleys
from apps.science.metrics.conformations._transitions import (
    first_passage_time,
    implied_timescales,
    pair_frames,
)
from apps.science.metrics.conformations.base import Passage, WeightedSet
from apps.science.segments.frames import WeightedFrames

TWO = np.array([[0.98, 0.02], [0.01, 0.99]])
THREE = np.array([[0.95, 0.05, 0.0], [0.04, 0.92, 0.04], [0.0, 0.03, 0.97]])
SPACING = 5.0


def run_chain(matrix, n_steps, seed):
    """Return the states (n_steps,) of a chain, drawn stay by stay."""
    rng = np.random.default_rng(seed)
    leaves = 1 - np.diag(matrix)
    others = [np.cumsum(np.where(np.arange(len(matrix)) == s, 0, row) / leaves[s])
              for s, row in enumerate(matrix)]  # fmt: skip
    visited, stays, total = [0], [], 0
    while total < n_steps:
        stays.append(rng.geometric(leaves[visited[-1]]))
        total += stays[-1]
        visited.append(int(np.searchsorted(others[visited[-1]], rng.random())))
    return np.repeat(visited[:-1], stays)[:n_steps]


def place(states, seed):
    """Return three-bead frames whose TIC 0 of ``FirstTwo`` shows the state."""
    x = np.zeros((len(states), 3, 3))
    x[:, 0, 0] = SPACING * states
    x[:, :2, 0] += 0.3 * np.random.default_rng(seed).normal(size=(len(states), 2))
    return x


def beads_of(sets):
    return sets.chain(3, tica=sets.FirstTwo())


def test_implied_timescales_of_exact_counts() -> None:
    values, vectors = np.linalg.eig(THREE.T)
    stationary = np.real(vectors[:, values.argmax()])
    stationary /= stationary.sum()
    exact = -2.0 / np.log(np.sort(np.real(values))[::-1][1:])
    found = implied_timescales(stationary[:, None] * THREE, 2.0, 3)
    np.testing.assert_allclose(found[:2], exact)
    assert np.isnan(found[2])


def test_passage_time_of_exact_counts() -> None:
    values, vectors = np.linalg.eig(THREE.T)
    stationary = np.real(vectors[:, values.argmax()])
    counts = np.abs(stationary)[:, None] * THREE
    # m0 = 20 + m1, m1 = (1 + .04 m0) / .08
    exact = np.linalg.solve(np.eye(2) - THREE[:2, :2], np.ones(2))
    start = np.array([1.0, 0.0, 0.0])
    assert first_passage_time(counts, 1.0, start) == pytest.approx(exact[0])
    assert first_passage_time(counts[:2, :2], 1.0, start[:2]) == pytest.approx(20.0)
    unreachable = np.diag([1.0, 1.0, 1.0])
    assert first_passage_time(unreachable, 1.0, start) == np.inf


@pytest.mark.random_outcome
def test_the_slowest_timescale_of_a_two_state_chain(sets, margin) -> None:
    n = 320_000
    states = run_chain(TWO, n, 0)
    frames = sets.make_frames(place(states, 1), lineage=np.arange(n) // 4000)
    found = timescales.Metric().compare(sets.compare(frames, frames, beads_of(sets)))
    exact = -1.0 / np.log(1 - 0.02 - 0.01)
    ratio = found.details["reference_timescales_ps"][0] / exact
    margin("timescale / exact", ratio, near=1.0, within=0.1)
    low, high = found.details["reference_slowest_interval_ps"]
    # from one draw to the next the timescale scatters by 0.016 of itself
    width = np.log((high - low) / exact / (4 * 0.016))
    margin("log(interval / expected)", width, near=0.0, within=np.log(4.0))
    assert found.figures["slowest"].value == 0
    margin("floor", found.figures["slowest"].floor, above=0, below=0.5)


@pytest.mark.random_outcome
def test_a_model_twice_as_fast_is_a_factor_of_two(sets, margin) -> None:
    states = run_chain(TWO, 240_000, 2)
    a = sets.make_frames(place(states, 3), lineage=np.arange(240_000) // 2000)
    fast = place(states[::2], 4)
    b = sets.make_frames(fast, lineage=np.arange(120_000) // 1500)
    found = timescales.Metric().compare(sets.compare(a, b, beads_of(sets)))
    slowest = found.figures["slowest"]
    margin("value", slowest.value, near=np.log(2), within=0.15)
    margin("low", slowest.low, below=np.log(2))
    margin("high", slowest.high, above=np.log(2))


@pytest.mark.random_outcome
def test_weights_of_trajectories_decide(sets, margin) -> None:
    """Half of the trajectories are of another chain and have no weight."""
    slow = run_chain(TWO, 90_000, 5)
    fast = run_chain(np.array([[0.8, 0.2], [0.2, 0.8]]), 90_000, 6)
    x = place(np.concatenate([slow, fast]), 7)
    index = np.repeat([0, 1], 90_000)
    frames = WeightedFrames(
        x.astype("f4"), 1.0 - index, np.arange(180_000) // 6000, index,
        np.tile(np.arange(90_000.0), 2),
    )  # fmt: skip
    found = timescales.Metric().compare(sets.compare(frames, frames, beads_of(sets)))
    exact = -1.0 / np.log(0.97)
    ratio = found.details["reference_timescales_ps"][0] / exact
    margin("timescale / exact", ratio, near=1.0, within=0.15)


def weighted_ensemble(matrix, n_iterations, n_per_state, seed):
    """Return a WE run of a chain, one frame a segment, as states and a frame set.

    Each state gets ``n_per_state`` walkers of equal weight, drawn by weight from those
    that are there, so rare states are seen often and weights differ by state.
    """
    rng = np.random.default_rng(seed)
    state = np.repeat(np.arange(len(matrix)), n_per_state)
    weight = np.ones(len(state)) / len(state)
    ident = np.full(len(state), -1)
    columns = {k: [] for k in ("state", "weight", "trajectory", "continues", "time")}
    n_made = 0
    for n_iter in range(n_iterations):
        edges = np.cumsum(matrix, axis=1)[state]
        state = (rng.random(len(state))[:, None] > edges).sum(axis=1)
        made = n_made + np.arange(len(state))
        n_made += len(state)
        for name, values in (
            ("state", state), ("weight", weight), ("trajectory", made),
            ("continues", ident), ("time", np.full(len(state), n_iter + 1.0)),
        ):  # fmt: skip
            columns[name].append(values)
        chosen, shares = [], []
        for one in np.unique(state):
            rows = np.flatnonzero(state == one)
            total = weight[rows].sum()
            chosen.append(rng.choice(rows, n_per_state, p=weight[rows] / total))
            shares.append(np.full(n_per_state, total / n_per_state))
        rows = np.concatenate(chosen)
        state, weight, ident = state[rows], np.concatenate(shares), made[rows]
    return {k: np.concatenate(v) for k, v in columns.items()}


@pytest.mark.random_outcome
def test_pairs_of_a_weighted_ensemble_span_segments(sets, margin) -> None:
    """The lag is three segments; walkers' pasts are their ancestors'."""
    run = weighted_ensemble(TWO, 2000, 100, 8)
    frames = WeightedFrames(
        place(run["state"], 9).astype("f4"), run["weight"],
        (run["time"] // 100).astype(int), run["trajectory"], run["time"],
        run["continues"],
    )  # fmt: skip
    pairs = pair_frames(WeightedSet.from_frames(frames), 3.0)
    np.testing.assert_array_equal(
        run["time"][pairs.second] - run["time"][pairs.first], 3.0
    )
    # the joint law, though most walkers sit where there is little weight
    moved = run["state"][pairs.first] != run["state"][pairs.second]
    stationary = np.array([1.0, 2.0]) / 3
    exact = 1 - stationary @ np.diag(np.linalg.matrix_power(TWO, 3))
    share = pairs.weight[moved].sum() / pairs.weight.sum()
    margin("share / exact", share / exact, near=1.0, within=0.1)

    class Slower(sets.FirstTwo):
        lag_ps = 3.0

    found = timescales.Metric().compare(
        sets.compare(frames, frames, sets.chain(3, tica=Slower()))
    )
    times = found.details["reference_timescales_ps"]
    margin("timescale / exact", times[0] * -np.log(0.97), near=1.0, within=0.15)


def test_what_cannot_be_timed_says_why(sets) -> None:
    rng = np.random.default_rng(10)
    two = sets.make_frames(place(run_chain(TWO, 4000, 11), 12))
    one = sets.make_frames(place(np.zeros(4000, int), 13))
    half = sets.make_frames(place((np.arange(4000) > 2000).astype(int), 14))
    metric = timescales.Metric()

    def why(a, b):
        found = metric.compare(sets.compare(a, b, beads_of(sets)))
        assert not found.figures
        return found.undefined

    assert "one basin" in why(one, two)
    assert "the model never changes basin" in why(two, one)
    assert "the reference changes basin 1 times one way" in why(half, two)
    coarse = sets.make_frames(two.positions, time_ps=3.0 * np.arange(4000))
    assert "no whole number of frames" in why(two, coarse)
    mixed = sets.make_frames(place(rng.integers(0, 2, 4000), 15))
    assert "faster than the lag" in why(mixed, two)


@pytest.mark.random_outcome
def test_basins_are_counted_by_their_barriers(margin) -> None:
    rng = np.random.default_rng(16)
    ones = np.ones(30_000)
    wells = rng.normal(size=30_000) + np.repeat([-3, 3], 15_000)
    (valley,) = find_valleys(wells, ones)
    margin("valley", valley, near=0.0, within=1.0)
    assert len(find_valleys(rng.normal(size=30_000), ones)) == 0
    # a shoulder is no basin: here the barrier is far below 1 kT
    assert len(find_valleys(wells / 3 + rng.normal(size=30_000), ones)) == 0
    # nor is a speck without weight
    weight = np.where(wells > 0, 1e-4, 1.0)
    assert len(find_valleys(wells, weight)) == 0


def steady_flux(mfpt_ps, n_iterations=800):
    return np.random.default_rng(17).gamma(4.0, 0.25 / mfpt_ps, n_iterations)


@pytest.mark.random_outcome
def test_the_passage_time_is_that_of_the_chain(sets, margin) -> None:
    exact = np.linalg.solve(np.eye(2) - THREE[:2, :2], np.ones(2))[0]
    states = run_chain(THREE, 180_000, 18)
    reference = sets.make_frames(place(states, 19), lineage=np.arange(180_000) // 9000)
    comparison = sets.compare(reference, reference, beads_of(sets))
    target = Passage(
        steady_flux(exact), 1.0, (((7.5, np.inf), (-np.inf, np.inf)),), np.zeros((4, 2))
    )
    found = passage.Metric().compare(sets.with_passage(comparison, target))
    for who in ("reference", "model"):
        ratio = found.details[f"{who}_mfpt_ps"] / exact
        margin(f"{who}: time / exact", ratio, near=1.0, within=0.1)
    margin("difference", found.figures["mfpt"].value, below=0.15)
    low, high = found.details["model_mfpt_interval_ps"]
    off = (found.details["model_mfpt_ps"] - exact) / (0.25 * (high - low))
    margin("off, quarters of the interval", off, near=0.0, within=5.0)
    slow = Passage(steady_flux(3 * exact), 1.0, target.regions, target.starts)
    found = passage.Metric().compare(sets.with_passage(comparison, slow))
    mfpt = found.figures["mfpt"]
    off = (mfpt.value - np.log(3)) / (0.25 * (mfpt.high - mfpt.low))
    margin("slow: off, quarters of the interval", off, near=0.0, within=5.0)
    margin("slow: low / floor", mfpt.low / mfpt.floor, above=2)


def test_no_target_and_no_arrival_give_no_number(sets) -> None:
    frames = sets.make_frames(place(run_chain(THREE, 3000, 20), 21))
    comparison = sets.compare(frames, frames, beads_of(sets))
    metric = passage.Metric()
    assert "no target" in metric.compare(comparison).undefined
    never = Passage(np.zeros(50), 1.0, (((7.5, np.inf),),), np.zeros((1, 2)))
    found = metric.compare(sets.with_passage(comparison, never))
    assert "no walker reached" in found.undefined
    far = Passage(np.ones(50), 1.0, (((99.0, np.inf),),), np.zeros((1, 2)))
    found = metric.compare(sets.with_passage(comparison, far))
    assert "none of the reference" in found.undefined
