"""Ranks by differences that exceed their intervals, and by nothing less."""

import csv

import pytest

from apps.science.benchmark.ranking import (
    compare_models,
    exceeds,
    rank_models,
    write_table,
)


def figure(value, half, floor=0.1):
    return {"value": value, "low": value - half, "high": value + half, "floor": floor,
            "unit": "nats"}  # fmt: skip


def body(**metrics):
    return {
        "metrics": {
            name: {"label": name, "figures": {"kl": f} if f else {}}
            for name, f in metrics.items()
        }
    }


def test_a_difference_must_exceed_both_intervals_in_quadrature() -> None:
    assert exceeds(figure(1.0, 0.3), figure(1.6, 0.4))  # 0.6 against 0.5
    assert not exceeds(figure(1.0, 0.3), figure(1.4, 0.4))
    assert not exceeds(figure(2.0, 0.1), figure(1.0, 0.1))
    assert not exceeds(figure(1.0, 0.1), figure(1.0, 0.1))


def test_the_sides_that_face_each_other_count() -> None:
    better = {"value": 1.0, "low": -9.0, "high": 1.1}
    worse = {"value": 2.0, "low": 1.9, "high": 99.0}
    assert exceeds(better, worse)


def test_models_that_chance_cannot_part_share_a_rank() -> None:
    bodies = {
        "a": body(tic0=figure(1.0, 0.5), bonds=figure(0.1, 0.01)),
        "b": body(tic0=figure(1.2, 0.5), bonds=figure(0.2, 0.01)),
        "c": body(tic0=figure(5.0, 0.5), bonds=figure(0.3, 0.01)),
    }
    rows = {row.metric: row.scores for row in compare_models(bodies)}
    assert [rows["tic0"][m].rank for m in "abc"] == [1, 1, 3]
    assert [rows["bonds"][m].rank for m in "abc"] == [1, 2, 3]
    assert not rows["tic0"]["a"].leads
    assert rows["bonds"]["a"].leads
    assert rows["bonds"]["b"].over_floor == pytest.approx(2.0)
    standings = rank_models(compare_models(bodies))
    assert [(s.model, s.place, s.mean_rank) for s in standings] == [
        ("a", 1, 1.0), ("b", 2, 1.5), ("c", 3, 3.0),
    ]  # fmt: skip
    assert standings[0].better_than == {"b": 1, "c": 2}
    assert standings[0].n_within_twice_floor == 1  # bonds; tic0 is ten times it


def test_equal_models_share_the_first_place() -> None:
    same = body(tic0=figure(1.0, 0.5))
    assert [s.place for s in rank_models(compare_models({"a": same, "b": same}))] == [
        1,
        1,
    ]


def test_nothing_is_won_by_being_undefined() -> None:
    bodies = {
        "never": body(tic0=figure(2.0, 0.1), folded=None),
        "sometimes": body(tic0=figure(1.0, 0.1), folded=figure(3.0, 0.1)),
    }
    rows = compare_models(bodies)
    assert set(next(r for r in rows if r.metric == "folded").scores) == {"sometimes"}
    assert [s.model for s in rank_models(rows)] == ["sometimes", "never"]


def test_a_missing_interval_decides_nothing() -> None:
    known, unknown = figure(1.0, 0.1), {"value": 2.0, "low": None, "high": None}
    assert not exceeds(known, unknown)
    scores = compare_models({"a": body(tic0=known), "b": body(tic0=unknown)})[0].scores
    assert scores["b"].rank == 1
    assert scores["b"].over_floor is None


def test_one_model_alone_leads_nobody() -> None:
    rows = compare_models({"a": body(tic0=figure(1.0, 0.1))})
    assert not rows[0].scores["a"].leads
    assert rank_models(rows)[0].place == 1


def test_the_table_is_a_csv_file(tmp_path) -> None:
    rows = compare_models({"a": body(tic0=figure(1.0, 0.5))})
    with write_table(rows, tmp_path / "table.csv").open() as handle:
        found = list(csv.DictReader(handle))
    assert found[0]["metric"] == "tic0"
    assert [float(found[0][k]) for k in ("value", "low", "high")] == [1.0, 0.5, 1.5]
