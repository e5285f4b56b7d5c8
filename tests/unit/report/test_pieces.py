from pathlib import Path

import h5py
import numpy as np
import pytest

from apps.science.segments.frames import WeightedFrames
from apps.science.segments.store import create_store
from campaign.ledger import Entry
from campaign.report.kit.sources import list_attempts, read_columns
from campaign.report.parts.judged.courses import mean_size
from campaign.report.parts.judged.landscape import Plane
from campaign.report.parts.judged.structures import follow_walker, lay_flat, superpose
from campaign.telling import words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.21, "3.2 s"), (59.6, "1 min 00 s"), (754, "12 min 34 s"),
     (12000, "3 h 20 min")],
)  # fmt: skip
def test_durations_read_as_a_person_says_them(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(300.0, "300"), (0.0417, "0.0417"), (-2.5, "\N{MINUS SIGN}2.5"), (0, "0"),
     (1.5e-9, "1.50·10⁻⁹"), (float("nan"), "\N{EN DASH}")],
)  # fmt: skip
def test_numbers_keep_three_places(value: float, text: str) -> None:
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0.0 %"), (0.0004, "<0.1 %"), (0.034, "3.4 %"), (0.4, "40 %"),
     (0.996, "99.6 %"), (0.9996, ">99.9 %"), (1.0, "100 %"), (None, "\N{EN DASH}")],
)  # fmt: skip
def test_a_share_is_never_rounded_to_none_or_all(
    share: float | None, text: str
) -> None:
    assert words.percent(share) == text


@pytest.mark.parametrize(
    ("hours", "text"),
    [(0.04 / 3600, "40 ms"), (0.01, "36 s"), (0.5, "30 min 00 s"), (2.25, "2.25 h"),
     (12345.6, "12,346 h"), (0.0, "\N{EN DASH}"), (None, "\N{EN DASH}")],
)  # fmt: skip
def test_core_time_is_in_hours_from_one_hour_on(hours: float | None, text: str) -> None:
    assert words.worker_time(hours) == text


def test_superposing_undoes_a_rotation_but_not_a_mirror() -> None:
    rng = np.random.default_rng(2)
    beads = rng.normal(size=(10, 3)) * 5
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    moved, rmsd = superpose(beads @ turn + 7.0, beads)
    assert rmsd == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(moved, beads - beads.mean(axis=0), atol=1e-9)
    assert superpose(beads * [1, 1, -1], beads)[1] > 0.5


@pytest.mark.random_outcome
def test_the_view_is_a_rotation_with_the_broadest_axis_across(margin) -> None:
    beads = np.random.default_rng(1).normal(size=(30, 3)) * [1.0, 6.0, 3.0]
    view = lay_flat(beads)
    assert np.linalg.det(view) == pytest.approx(1.0)
    spread = ((beads - beads.mean(axis=0)) @ view.T).std(axis=0)
    margin("largest rise", np.diff(spread).max(), below=0)


@pytest.mark.random_outcome
def test_free_energy_difference_of_two_wells_is_minus_kt_ln_of_their_weights(
    margin,
) -> None:
    rng = np.random.default_rng(4)
    wells = [rng.uniform(x - 0.5, x + 0.5, size=(200_000, 2)) for x in (-2.0, 2.0)]
    weights = np.repeat([0.9, 0.1], 200_000)
    edges = np.linspace(-4, 4, 51)
    plane = Plane(np.concatenate(wells), weights, (edges, edges))
    energy = plane.free_energy(300.0)
    at = [int(np.searchsorted(edges, x) - 1) for x in (-2.0, 2.0)]
    difference = energy[at[1], at[1]] - energy[at[0], at[0]]
    exact = 0.5962 * np.log(9.0)
    margin("off", difference - exact, near=0.0, within=0.03)


def test_a_set_covers_itself() -> None:
    points = np.random.default_rng(6).normal(size=(500, 2))
    edges = np.linspace(-5, 5, 51)
    plane = Plane(points, np.ones(500), (edges, edges))
    assert plane.coverage(points) == pytest.approx((1.0, 0.0))
    assert plane.coverage(points + 20.0) == pytest.approx((0.0, 1.0))


def test_a_stage_cut_short_is_interrupted_where_its_driver_ended() -> None:
    entries = [
        Entry(0.0, "run_started"), Entry(1.0, "started", "a"),
        Entry(2.0, "started", "b"), Entry(3.0, "done", "b", seconds=1.0),
        Entry(100.0, "run_started"), Entry(101.0, "started", "a"),
        Entry(105.0, "done", "a", seconds=4.0),
    ]  # fmt: skip
    found = [(a.stage, a.started, a.ended, a.state) for a in list_attempts(entries)]
    assert found == [
        ("a", 1.0, 3.0, "interrupted"),
        ("b", 2.0, 3.0, "done"),
        ("a", 101.0, 105.0, "done"),
    ]


def test_a_torn_row_of_a_csv_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,loss,note\n1,2.5,x\n2,1.5,y\n3,1.")
    columns = read_columns(path)
    assert list(columns) == ["epoch", "loss"]
    np.testing.assert_allclose(columns["loss"], [2.5, 1.5])


def test_the_mean_size_is_that_of_the_weight_and_passes_over_broken_frames() -> None:
    small = np.arange(6)[:, None] * [1.0, 0.0, 0.0]
    positions = np.stack([small, 2 * small, np.full((6, 3), np.nan)] * 10)
    ids = np.tile(np.arange(3), 10)
    weight = np.tile([0.5, 0.25, 0.25], 10)
    time = np.repeat(np.arange(10.0), 3)
    _, size = mean_size(WeightedFrames(positions, weight, ids, ids, time))
    usual = small[:, 0].std()
    np.testing.assert_allclose(size, usual * (2 + 2) / 3)


def test_a_walker_is_followed_through_its_parents(tmp_path: Path) -> None:
    # seg_id of the heaviest: 0, 2, 1 in iterations 1, 2, 3
    lineage = {(1, 0): -1, (2, 2): 0, (3, 1): 2}
    path = tmp_path / "segments.h5"
    create_store(path, 4)
    rows = [(n, s, f) for n in (1, 2, 3) for s in (0, 1, 2) for f in (0, 1)]
    with h5py.File(path, "a") as h5:
        for name in ("positions", "weight", "n_iter", "seg_id", "frame", "parent"):
            h5[name].resize(len(rows), axis=0)
        for k, (n, s, f) in enumerate(rows):
            h5["n_iter"][k], h5["seg_id"][k], h5["frame"][k] = n, s, f
            h5["parent"][k] = lineage.get((n, s), -1)
            h5["weight"][k] = 0.8 if (n, s) in lineage else 0.1
            h5["positions"][k] = 100 * n + 10 * s + f
    positions, time = follow_walker(path, 4.0, 2.0, n_times=6)
    assert positions[:, 0, 0].tolist() == [100, 101, 220, 221, 310, 311]
    np.testing.assert_allclose(time, [2, 4, 6, 8, 10, 12])
