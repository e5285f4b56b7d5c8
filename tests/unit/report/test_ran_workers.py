"""Worker slots, who was busy in them, and the share of their time that was idle."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from campaign.declared import Stage
from campaign.report.kit.style import stage_colours
from campaign.report.parts.run.ran_lanes import Lane, make_lanes
from campaign.report.parts.run.ran_marks import FAILED, IDLE
from campaign.report.parts.run.ran_pools import Pool, time_of
from campaign.report.parts.run.ran_rows import mix_colours
from campaign.report.parts.run.ran_steps import Steps, add
from campaign.telling.colours import APP_COLOURS
from campaign.watching.timeline import Task


def task(
    pid: int, begin: float, end: float, stage: str = "sample", ok: bool = True
) -> Task:
    return Task("f", "md", stage, "n", pid, begin, end, ok)


def noted(*spans: tuple[float, float, float]) -> Steps:
    return Steps.of(spans)


def pool_of(tasks: list[Task], there: Steps) -> Pool:
    lanes = make_lanes(tasks, there)
    lives = Steps.of((a, b, 1.0) for lane in lanes for a, b in lane.lives)
    busy = {"sample": Steps.of((t.started, t.ended, 1.0) for t in tasks)}
    return Pool("md", ["md"], lives, busy, lanes, [], True)


def test_steps_keep_their_area_however_they_are_cut() -> None:
    rng = np.random.default_rng(3)
    spans = [
        (a, a + s, 1.0)
        for a, s in zip(rng.uniform(0, 90, 200), rng.exponential(5, 200), strict=True)
    ]
    steps = Steps.of(spans)
    area = sum(b - a for a, b, _ in spans)
    assert steps.total == pytest.approx(area)
    edges = np.linspace(-1, 200, 38)
    assert steps.means(edges) @ np.diff(edges) == pytest.approx(area)
    assert steps.between(-5, 40) + steps.between(40, 500) == pytest.approx(area)


def test_steps_count_what_is_there_and_nothing_outside() -> None:
    steps = noted((0, 4, 2), (2, 6, 1))
    assert steps.at(np.array([-1, 0, 1, 2, 3, 4, 5, 6])).tolist() == [
        0, 2, 2, 3, 3, 1, 1, 0,
    ]  # fmt: skip
    assert steps.most == 3
    empty = Steps.of([])
    assert (empty.total, empty.most, empty.between(0, 9)) == (0, 0, 0)
    assert empty.means(np.arange(4.0)).tolist() == [0, 0, 0]
    assert add([steps, empty, steps]).total == pytest.approx(2 * steps.total)


def test_a_worker_without_a_task_counts_as_idle_while_it_is_there() -> None:
    there = noted((0, 100, 2))
    pool = pool_of([task(1, 0, 50), task(1, 50, 100)], there)
    spent = time_of([pool], [(0.0, 100.0)])
    assert (spent.there, spent.busy) == (200, 100)
    assert spent.idle_share == pytest.approx(0.5)
    assert time_of([pool], [(100.0, 120.0)]).idle_share is None


def test_idle_is_shared_over_pools_by_their_time_not_by_their_number() -> None:
    full = pool_of([task(1, 0, 90)], noted((0, 90, 1)))
    empty = pool_of([], noted((80, 90, 1)))
    assert time_of([full, empty], [(0, 90)]).idle_share == pytest.approx(0.1)


def test_as_many_workers_live_at_every_time_as_were_noted() -> None:
    rng = np.random.default_rng(5)
    there = noted((0, 300, 3), (100, 200, 4))
    tasks = [
        task(pid, at, at + rng.uniform(1, 9))
        for pid, first, last in ((1, 5, 280), (2, 20, 90), (3, 110, 190), (4, 210, 290))
        for at in np.arange(first, last - 9.0, 10)
    ]
    lives = pool_of(tasks, there).there
    when = np.arange(0.5, 300)
    np.testing.assert_array_equal(lives.at(when), there.at(when))


def test_a_worker_noted_late_is_there_from_its_first_task() -> None:
    pool = pool_of([task(1, 2, 3), task(1, 8, 9)], noted((5, 20, 1)))
    assert pool.there.total == pytest.approx(18)
    assert len(pool.lanes) == 1


def test_a_process_that_replaces_another_goes_on_in_its_row() -> None:
    tasks = [
        task(1, 0, 10), task(1, 10, 20), task(2, 0, 10), task(2, 12, 50),
        task(3, 30, 40), task(3, 41, 50),
    ]  # fmt: skip
    first, second = make_lanes(tasks, noted((0, 22, 2), (22, 30, 1), (30, 50, 2)))
    assert [t.pid for t in first.tasks] == [1, 1, 3, 3]
    assert [t.pid for t in second.tasks] == [2, 2]
    assert first.lives == [(0, 22), (30, 50)]
    assert second.lives == [(0, 50)]


def test_the_command_of_a_bash_app_is_drawn_where_its_worker_waits() -> None:
    tasks = [
        task(1, 0, 9), task(2, 0, 9), task(1, 100, 109), task(2, 100, 109),
        task(31, 10, 99), task(32, 10, 98),
    ]  # fmt: skip
    for there in (noted((0, 110, 2)), Steps.of([])):
        lanes = make_lanes(tasks, there)
        assert [sorted({t.pid for t in lane.tasks}) for lane in lanes] == [
            [1, 31],
            [2, 32],
        ]


def test_a_worker_with_a_single_task_has_its_own_row() -> None:
    tasks = [task(1, 0, 9), task(1, 30, 39), task(2, 10, 20)]
    lanes = make_lanes(tasks, noted((0, 40, 2)))
    assert [[t.pid for t in lane.tasks] for lane in lanes] == [[1, 1], [2]]


def test_a_pixel_has_the_mean_colour_of_its_time() -> None:
    lane = Lane([(0.0, 3.0)], [task(1, 0.0, 1.0), task(1, 1.0, 1.5, ok=False)])
    mixed = mix_colours(lane, {"sample": "#0072b2"}, np.arange(5.0))
    blue, ink, grey = (np.array(to_rgb(c)) for c in ("#0072b2", FAILED, IDLE))
    expected = [blue, (ink + grey) / 2, grey, np.ones(3)]
    np.testing.assert_allclose(mixed, expected, atol=1e-12)


def test_stages_of_a_kind_share_a_hue_and_no_two_stages_a_colour() -> None:
    stages = [
        "prepare", "reference", "tica", "sample", "ingest", "prior", "dataset",
        "train_weighted", "train_unweighted", "benchmark_weighted",
        "benchmark_unweighted",
    ]  # fmt: skip
    colours = stage_colours(Stage(s, s.split("_")[0]) for s in stages)
    assert len(set(colours.values())) == len(stages)
    plain = [c for s, c in colours.items() if "unweighted" not in s]
    assert plain == list(APP_COLOURS[: len(plain)])
    dark, pale = (
        np.array(to_rgb(colours[f"train_{m}"])) for m in ("weighted", "unweighted")
    )
    np.testing.assert_allclose(pale, dark + 0.45 * (1 - dark), atol=0.003)
