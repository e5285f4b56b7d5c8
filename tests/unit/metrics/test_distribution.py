"""Distribution metrics: what they compare is the weighted law of the values."""

import numpy as np
import pytest
from scipy import stats

from apps.science.metrics.conformations import (
    angles,
    bonds,
    dihedrals,
    end_to_end,
    gyration,
    rmsd,
    tic0,
)
from apps.science.metrics.conformations.base import WeightedSet
from apps.science.metrics.conformations.distribution import (
    Transport,
    bound_masses,
    observe_all,
)


def pair(lengths):
    """Return frames of two beads ``lengths`` apart."""
    x = np.zeros((len(lengths), 2, 3))
    x[:, 1, 0] = lengths
    return x


def twisted(phi_deg):
    """Return four-bead frames with these dihedrals."""
    phi = np.radians(np.asarray(phi_deg))
    x = np.zeros((len(phi), 4, 3))
    x[:, 0, 0] = 1
    x[:, 2:, 2] = 1
    x[:, 3, 0], x[:, 3, 1] = np.cos(phi), np.sin(phi)
    return x


@pytest.mark.random_outcome
def test_kl_and_w1_of_two_gaussians_of_bond_lengths(sets, margin) -> None:
    rng = np.random.default_rng(0)
    a = sets.make_frames(pair(rng.normal(10, 1, 240_000)))
    b = sets.make_frames(pair(rng.normal(10.5, 1.5, 240_000)))
    figures = bonds.Metric().compare(sets.compare(a, b, sets.chain(2))).figures
    exact = np.log(1.5) + (1 + 0.25) / (2 * 1.5**2) - 0.5
    margin("kl / exact", figures["kl"].value / exact, near=1.0, within=0.06)
    grid = np.linspace(0, 20, 20_001)
    gap = stats.norm(10, 1).cdf(grid) - stats.norm(10.5, 1.5).cdf(grid)
    w1 = figures["w1"].value / np.trapezoid(abs(gap), grid)
    margin("w1 / exact", w1, near=1.0, within=0.03)


@pytest.mark.random_outcome
def test_kl_is_of_the_model_from_the_reference(sets, margin) -> None:
    """A model that misses a state costs more than one that adds a state."""
    rng = np.random.default_rng(1)
    narrow = sets.make_frames(pair(rng.normal(4, 0.1, 4000)))
    both = sets.make_frames(
        pair(np.concatenate([rng.normal(4, 0.1, 2000), rng.normal(7, 0.1, 2000)]))
    )
    beads = sets.chain(2)
    misses = bonds.Metric().compare(sets.compare(both, narrow, beads)).figures["kl"]
    adds = bonds.Metric().compare(sets.compare(narrow, both, beads)).figures["kl"]
    margin("adds: kl", adds.value, near=np.log(2), within=0.05)
    margin("misses / adds", misses.value / adds.value, above=2)


@pytest.mark.random_outcome
def test_weights_decide_and_unweighted_frames_do_not(sets, margin) -> None:
    """A biased sample with its weights is the reference; without them it is not."""
    rng = np.random.default_rng(2)
    reference = sets.make_frames(pair(rng.normal(6, 1, 20_000)))
    lengths = rng.uniform(2, 10, 20_000)
    biased = pair(lengths)
    beads = sets.chain(2)
    right = sets.make_frames(biased, stats.norm(6, 1).pdf(lengths))
    wrong = sets.make_frames(biased)
    kl = {
        name: bonds.Metric().compare(sets.compare(reference, s, beads)).figures["kl"]
        for name, s in (("right", right), ("wrong", wrong))
    }
    margin("right: kl", kl["right"].value, below=0.01)
    margin("wrong: kl", kl["wrong"].value, above=0.3)


@pytest.mark.parametrize(
    "metric", [bonds, angles, dihedrals, gyration, end_to_end], ids=lambda m: m.__name__
)
def test_doubling_a_frame_is_doubling_its_weight(sets, metric) -> None:
    x = sets.random_chains(60, 6, 3)
    copies = np.where(np.arange(60) % 3 == 0, 2, 1)
    reference = sets.make_frames(sets.random_chains(200, 6, 4))
    beads = sets.chain(6)
    lineage = np.arange(60) % 20
    weighted = sets.make_frames(x, copies, lineage)
    repeated = sets.make_frames(
        np.repeat(x, copies, axis=0), None, np.repeat(lineage, copies)
    )
    found = [
        metric.Metric().compare(sets.compare(reference, s, beads))
        for s in (weighted, repeated)
    ]
    np.testing.assert_allclose(
        found[0].arrays["model"], found[1].arrays["model"], atol=1e-12
    )
    w1 = [f.figures["w1"].value for f in found]
    assert w1[0] == pytest.approx(w1[1], rel=0.02)  # quantile bins move a little
    js = [f.figures["js"].value for f in found]
    assert js[0] == pytest.approx(js[1], abs=1e-12)


@pytest.mark.random_outcome
def test_a_set_against_itself_is_zero_and_its_floor_is_small(sets, margin) -> None:
    frames = sets.make_frames(sets.random_chains(4000, 6, 5))
    for metric in (bonds, angles, dihedrals, gyration):
        found = metric.Metric().compare(sets.compare(frames, frames, sets.chain(6)))
        for name in ("kl", "js", "w1"):
            assert found.figures[name].value == pytest.approx(0, abs=1e-12)
            assert found.figures[name].low == 0
        floor = found.figures["kl"].floor
        margin(f"{metric.__name__}: floor", floor, above=0, below=0.1)


def test_bins_cover_the_reference_and_the_outside_is_counted(sets) -> None:
    rng = np.random.default_rng(6)
    reference = sets.make_frames(pair(rng.normal(5, 0.1, 5000)))
    model = sets.make_frames(
        pair(np.concatenate([np.full(300, 5.0), np.full(100, 50.0)]))
    )
    found = bonds.Metric().compare(sets.compare(reference, model, sets.chain(2)))
    assert 4.5 < found.arrays["edges"][0] < found.arrays["edges"][-1] < 5.5
    assert len(found.arrays["edges"]) == 101
    assert found.arrays["model"].shape == found.arrays["reference"].shape == (102,)
    assert found.arrays["model"][-1] == pytest.approx(0.25)
    assert found.details["model_outside"] == pytest.approx(0.25)
    assert found.arrays["reference"].sum() == pytest.approx(1)


@pytest.mark.random_outcome
def test_plus_and_minus_180_degrees_are_neighbours(sets, margin) -> None:
    """Cut at 180 degrees, the two sets would be 358 degrees apart."""
    rng = np.random.default_rng(7)
    scatter = 0.2 * rng.normal(size=3000)
    a = sets.make_frames(twisted(179.0 + scatter))
    b = sets.make_frames(twisted(-179.0 + scatter))
    found = dihedrals.Metric().compare(sets.compare(a, b, sets.chain(4)))
    margin("w1, degrees", found.figures["w1"].value, near=2.0, within=0.05)
    assert found.arrays["edges"][[0, -1]].tolist() == [-180.0, 180.0]
    assert found.details["model_outside"] == 0
    # one angle written in two ways
    same = sets.make_frames(twisted(np.full(100, 180.0)))
    other = sets.make_frames(twisted(np.full(100, -180.0)))
    found = dihedrals.Metric().compare(sets.compare(same, other, sets.chain(4)))
    assert found.figures["kl"].value == pytest.approx(0, abs=1e-9)


def test_dihedrals_half_a_turn_apart(sets) -> None:
    a = sets.make_frames(twisted(np.linspace(-5, 5, 400)))
    b = sets.make_frames(twisted(np.linspace(85, 95, 400)))
    found = dihedrals.Metric().compare(sets.compare(a, b, sets.chain(4)))
    assert found.figures["w1"].value == pytest.approx(90, abs=0.5)


def test_fine_bins_give_the_exact_w1() -> None:
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(900, 1)), rng.gamma(2.0, 1.0, size=(700, 1))
    y[-1] = 400.0  # an outlier far away must not coarsen the bins
    wx, wy = rng.random(900), rng.random(700)
    transport = Transport(x, y)
    sums = [
        transport.sums(
            WeightedSet(v[..., None], w / w.sum(), np.arange(len(w)) % 7, 7, w, 1.0), v
        ).sum(0)[None]
        for v, w in ((x, wx), (y, wy))
    ]
    exact = stats.wasserstein_distance(x[:, 0], y[:, 0], wx, wy)
    assert transport.w1_of_sums(*sums, 1, 1)[0] == pytest.approx(exact, rel=1e-3)


def test_circular_w1_is_the_least_over_all_cuts() -> None:
    rng = np.random.default_rng(9)
    x = (rng.normal(150, 60, (300, 1)) + 180) % 360 - 180
    y = (rng.normal(-100, 40, (300, 1)) + 180) % 360 - 180
    ones = np.ones(300)
    transport = Transport(x, y, period=360.0, n_bins=720)
    sums = [
        transport.sums(
            WeightedSet(v[..., None], ones / 300, np.zeros(300, int), 1, ones, 1.0), v
        )
        for v in (x, y)
    ]
    cuts = [
        stats.wasserstein_distance((x[:, 0] - c) % 360, (y[:, 0] - c) % 360)
        for c in range(360)
    ]
    # a cut forbids transport through it; the circle allows the best of all
    found = transport.w1_of_sums(*sums, 1, 1)[0]
    assert found == pytest.approx(min(cuts), rel=0.01)


def test_the_projection_is_the_models(sets) -> None:
    beads = sets.chain(4, tica=sets.FirstTwo())
    x = sets.random_chains(20_000, 4, 10)
    values = observe_all(tic0.Metric(), x, beads)
    np.testing.assert_allclose(values[:, 0], x[:, 0, 0] - x[:, 2, 0])


def test_what_has_no_meaning_says_why(sets) -> None:
    three = sets.chain(3)
    assert "four beads" in dihedrals.Metric().undefined(three)
    assert "no TICA" in tic0.Metric().undefined(three)
    assert "no native" in rmsd.Metric().undefined(three)
    assert bonds.Metric().undefined(three) is None


def test_rmsd_of_the_native_itself_is_nought(sets) -> None:
    native = sets.random_chains(1, 6, 11)[0]
    values = observe_all(
        rmsd.Metric(), native[None] + 5.0, sets.chain(6, native=native)
    )
    assert values[0, 0] == pytest.approx(0, abs=1e-6)


@pytest.mark.random_outcome
def test_the_band_of_a_density_holds_the_truth(margin) -> None:
    rng = np.random.default_rng(8)
    shares = np.array([0.1, 0.2, 0.3, 0.4])
    inside = []
    for _ in range(800):
        blocks = rng.multinomial(50, shares, size=60).astype(float)
        plan = rng.multinomial(60, np.full(60, 1 / 60), size=400).astype(float)
        low, high = bound_masses(plan, blocks)
        inside.append((low <= shares) & (shares <= high))
    margin("inside", np.mean(inside), above=0.92, below=0.97)
