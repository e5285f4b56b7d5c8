"""Contact maps, the TIC plane and stability."""

import numpy as np
import pytest

from apps.science.metrics.conformations import contacts, stability, tica2d
from apps.science.metrics.conformations.base import WeightedSet


def test_contact_maps_put_each_pair_in_its_place(sets) -> None:
    """Bead k lies at k^2 on a line, so every pair has its own distance."""
    x = np.zeros((3, 6, 3))
    x[:, :, 0] = np.arange(6) ** 2
    frames = sets.make_frames(x, lineage=[0, 1, 2])
    found = contacts.Metric().compare(sets.compare(frames, frames, sets.chain(6)))
    distance = found.arrays["reference_distance"]
    for i in range(6):
        for j in range(6):
            if abs(i - j) >= 3:
                assert distance[i, j] == pytest.approx(abs(i * i - j * j))
            else:
                assert np.isnan(distance[i, j])
    contact = found.arrays["model_contact"]
    assert contact[0, 3] == contact[3, 0] == 1.0
    assert contact[0, 4] == 0.0
    assert found.figures["difference"].value == 0


def test_contact_differences_are_weighted_means(sets) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 6, (2, 40, 5, 3))
    wx, wy = rng.random((2, 40))
    found = contacts.Metric().compare(
        sets.compare(sets.make_frames(x, wx), sets.make_frames(y, wy), sets.chain(5))
    )
    distances, probabilities = [], []
    for i, j in ((0, 3), (0, 4), (1, 4)):
        a, b = (np.linalg.norm(v[:, i] - v[:, j], axis=-1) for v in (x, y))
        distances.append(abs(np.average(a, weights=wx) - np.average(b, weights=wy)))
        probabilities.append(
            abs(np.average(a < 10, weights=wx) - np.average(b < 10, weights=wy))
        )
    assert found.figures["difference"].value == pytest.approx(
        np.mean(distances), rel=1e-5
    )
    assert found.figures["contact_difference"].value == pytest.approx(
        np.mean(probabilities), rel=1e-5
    )


def test_three_beads_have_no_contacts(sets) -> None:
    assert "3 apart" in contacts.Metric().undefined(sets.chain(3))


def plane(points):
    """Return three-bead frames at these TICs of ``FirstTwo``."""
    x = np.zeros((len(points), 3, 3))
    x[:, :2, 0] = points
    return x


@pytest.mark.random_outcome
def test_the_plane_sees_what_its_axes_hide(sets, margin) -> None:
    """Equal margins, opposite correlation: only the joint density differs."""
    rng = np.random.default_rng(1)
    u = rng.normal(size=(20_000, 1))
    scatter = 0.3 * rng.normal(size=(20_000, 1))
    along = np.hstack([u, u + scatter])
    across = np.hstack([u, -u + scatter])
    beads = sets.chain(3, tica=sets.FirstTwo())
    found = tica2d.Metric().compare(
        sets.compare(
            sets.make_frames(plane(along)), sets.make_frames(plane(across)), beads
        )
    )
    margin("kl", found.figures["kl"].value, above=1)
    margin("js", found.figures["js"].value, above=0.3, below=np.log(2))
    assert found.arrays["model"].shape == (50, 50)
    # axis 0 of the map is TIC 0: the reference rises with it, the model falls
    centres = np.arange(50.0)
    mean_tic1 = (found.arrays["reference"] @ centres) / found.arrays["reference"].sum(1)
    slope = np.polyfit(centres[10:40], mean_tic1[10:40], 1)[0]
    margin("slope", slope, above=0.5)


def test_sliced_w1_of_a_shift(sets) -> None:
    """The mean of |cos| over directions is 2 / pi."""
    points = np.random.default_rng(2).normal(size=(2000, 2))
    beads = sets.chain(3, tica=sets.FirstTwo())
    found = tica2d.Metric().compare(
        sets.compare(
            sets.make_frames(plane(points)),
            sets.make_frames(plane(points + np.array([3.0, 0.0]))),
            beads,
        )
    )
    assert found.figures["w1"].value == pytest.approx(3 * 2 / np.pi, rel=0.01)


def test_broken_structures_are_counted_by_weight_and_cause(sets) -> None:
    reference = sets.make_frames(sets.random_chains(2000, 6, 3))
    x = sets.random_chains(100, 6, 4)
    x[0] = np.nan
    x[1, 5] += 40.0
    x[2] = np.linspace(0, 0.1, 6)[:, None]
    weight = np.ones(100)
    weight[:2] = 3.0
    model = sets.make_frames(x, weight, lineage=np.arange(100) // 10)
    found = stability.Metric().compare(sets.compare(reference, model, sets.chain(6)))
    total = weight.sum()
    assert found.figures["broken"].value == pytest.approx(7 / total)
    assert found.details["causes"]["not finite"] == pytest.approx(3 / total)
    # squeezed beads break bonds as well; a broken bond is the cause that is named
    assert found.details["causes"]["broken bond"] == pytest.approx(4 / total)
    assert found.figures["broken"].floor == 0


def test_a_chain_that_folds_onto_itself_has_collapsed(sets) -> None:
    beads = sets.chain(6)
    reference = sets.make_frames(sets.random_chains(500, 6, 5) * [3.0, 1, 1])
    zigzag = np.zeros((20, 6, 3))
    zigzag[:, ::2, 0] = 3.8
    bounds = stability.Bounds(WeightedSet.from_frames(reference), beads)
    bounds.length = np.full(5, 3.8)
    assert set(bounds.classify(zigzag)) <= {0, 3}


def test_survival_falls_when_the_model_breaks(sets) -> None:
    reference = sets.make_frames(sets.random_chains(500, 6, 6))
    x = sets.random_chains(500, 6, 7)
    x[400:] = np.nan
    found = stability.Metric().compare(
        sets.compare(reference, sets.make_frames(x), sets.chain(6))
    )
    time, intact = found.arrays["time_ps"], found.arrays["intact"]
    assert (intact[time <= 400] == 1).all()
    assert (intact[time > 410] == 0).all()
    assert found.details["intact_at_end"] == 0
