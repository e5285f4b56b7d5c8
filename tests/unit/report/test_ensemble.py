"""The weighted-ensemble part of the page: history, table, flux and its notes."""

import csv
import json
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from apps.science.we.convergence import follow_flux, still_drifts
from apps.science.we.kinetics import estimate_kinetics, read_flux
from campaign.layout.protein_dir import ProteinDir
from campaign.report.build import write_report
from campaign.report.parts.learnt_source import LearntSource
from campaign.report.parts.we.ensemble_flux import flux_facts, flux_notes, read_fluxes
from campaign.report.parts.we.ensemble_work import idle
from campaign.report.parts.we.history import History, read_history
from campaign.report.parts.we.iterations import read_iterations
from campaign.telling import words


@pytest.fixture(scope="module")
def recycled(synthetic: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("recycled") / "well"
    return Path(synthetic.recycled.write_recycled_run(root))


def read_table(root: Path) -> list[dict[str, str]]:
    path = root / "report" / "figures" / "we_iterations.csv"
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def figures_of(root: Path) -> set[str]:
    return {p.stem for p in (root / "report" / "figures").glob("we_*.png")}


def test_the_table_says_of_every_iteration_what_the_journal_does(
    finished: tuple[Path, str],
) -> None:
    root, page = finished
    rows = read_table(root)
    assert [int(row["n_iter"]) for row in rows] == list(range(1, 31))
    for row, iteration in zip(rows, read_iterations(root / "we/journal"), strict=True):
        told = iteration.summary
        for name in ("weight_min", "weight_p05", "weight_p50", "weight_p95", "ess"):
            assert float(row[name]) == pytest.approx(told[name])
        assert float(row["pcoord_1_max"]) == pytest.approx(told["pcoord_max"][1])
        assert float(row["segment_s_p95"]) == pytest.approx(told["segment_s"]["p95"])
        assert int(row["n_blocks_rerun"]) == told["n_blocks_rerun"]
    # what was found on disk after a stop says nothing about idling
    assert [k for k, row in enumerate(rows, 1) if row["idle_share"] == ""] == [17]
    assert 'href="figures/we_iterations.csv"' in page


def test_a_run_without_targets_has_no_flux(finished: tuple[Path, str]) -> None:
    root, page = finished
    assert "we_flux" not in figures_of(root)
    assert "passage time" not in page
    assert not any(name.startswith("flux") for name in read_table(root)[0])


def test_blocks_sent_again_and_found_on_disk_are_counted(
    finished: tuple[Path, str],
) -> None:
    _, page = finished
    assert "180 in all, 1 sent again after a failure, 2 found on disk" in page


def test_the_idle_share_of_a_run_weighs_iterations_by_their_time() -> None:
    columns = {
        "idle_share": np.array([0.5, np.nan, 0.1]),
        "propagate_s": np.array([1.0, 50.0, 3.0]),
    }
    assert idle(History(columns, 0, {})) == pytest.approx((0.5 + 0.3) / 4)


def test_an_older_journal_is_drawn_and_what_it_lacks_is_named(
    synthetic: ModuleType, tmp_path: Path
) -> None:
    root = tmp_path / "hairpin"
    synthetic.settings.write_settings(root)
    tica = synthetic.hairpin.write_reference(root)
    synthetic.ensemble.write_ensemble(root / "we", tica, 6, 0.0, 1.0, 1)
    new = read_history(read_iterations(root / "we/journal"))
    synthetic.ensemble.make_journal_old(root / "we")
    old = read_history(read_iterations(root / "we/journal"))
    for name in ("weight_p05", "weight_p50", "weight_p95", "ess", "pcoord_1_min"):
        np.testing.assert_array_equal(old[name], new[name])
    page = write_report(root).read_text(encoding="utf-8")
    assert "could not be drawn" not in page
    assert "does not tell segment times and idle share of the slots" in page
    wanted = {"we_walkers", "we_weights", "we_reach", "we_exploration"}
    assert figures_of(root) == wanted


def test_the_flux_of_the_journal_is_that_of_west_h5(recycled: Path) -> None:
    source = LearntSource(ProteinDir(recycled))
    history = read_history(source.journal)
    expected = read_flux(recycled / "we" / "west.h5", "right")
    assert expected.sum() > 0
    np.testing.assert_allclose(history.flux["right"], expected, rtol=1e-12)


def test_an_older_journal_takes_its_flux_from_west_h5(
    synthetic: ModuleType, tmp_path: Path
) -> None:
    root = synthetic.recycled.write_recycled_run(tmp_path / "well", n_iterations=12)
    before = read_history(read_iterations(root / "we/journal")).flux["right"]
    synthetic.ensemble.make_journal_old(root / "we")
    source = LearntSource(ProteinDir(root))
    found = read_fluxes(source, read_history(source.journal))
    np.testing.assert_allclose(found["right"], before, rtol=1e-12)
    (root / "we" / "west.h5").unlink()
    page = write_report(root).read_text(encoding="utf-8")
    assert "tells the flux into &#39;right&#39;" in page
    assert "we_flux" not in figures_of(root)
    assert "could not be drawn" not in page


def test_rate_and_passage_time_are_told_with_intervals(
    synthetic: ModuleType, recycled: Path
) -> None:
    page = write_report(recycled).read_text(encoding="utf-8")
    assert "could not be drawn" not in page
    flux = read_flux(recycled / "we" / "west.h5")
    tau_ps = synthetic.recycled.TAU_PS
    found = estimate_kinetics(flux, tau_ps, burn_in=len(flux) // 4)
    low, high = (words.simulated(x) for x in found.mfpt_interval)
    assert f"{words.simulated(found.mfpt_ps)} [{low} to {high}]" in page
    assert re.search(r"Rate into &#39;right&#39;</dt><dd>[\d.]+ .s⁻¹ \[", page)
    drawn = json.loads((recycled / "report/figures/we_flux.json").read_text())
    running = drawn["running"]
    assert running["mean"][-1] == pytest.approx(found.flux, rel=1e-6)
    assert running["low"][-1] == pytest.approx(found.rate_interval[0] * tau_ps, 1e-6)
    column = [float(row["flux_right"]) for row in read_table(recycled)]
    np.testing.assert_allclose(column, flux, rtol=1e-8)


def test_without_tau_the_flux_is_told_per_iteration() -> None:
    flux = np.random.default_rng(1).exponential(1e-3, size=60)
    facts = dict(flux_facts({"right": flux}, 10, None))
    assert "per iteration" in facts["Flux into 'right'"]
    assert "iterations" in facts["Mean first passage time"]


def test_two_targets_share_one_passage_time() -> None:
    rng = np.random.default_rng(2)
    fluxes = {name: rng.exponential(1e-3, size=100) for name in ("up", "down")}
    facts = dict(flux_facts(fluxes, 0, 2.0))
    total = estimate_kinetics(fluxes["up"] + fluxes["down"], 2.0)
    said = facts["Mean first passage time to any target"]
    assert said.startswith(words.simulated(total.mfpt_ps))
    assert len(facts) == 3


def test_a_target_that_nothing_reached_has_no_rate() -> None:
    fluxes = {"right": np.zeros(30)}
    assert flux_facts(fluxes, 7, 1.0) == []
    assert "No walker reached" in flux_notes(fluxes, 7)[0].text


@pytest.mark.random_outcome
def test_a_flux_that_rises_is_not_called_a_rate(margin) -> None:
    rng = np.random.default_rng(3)
    steady = rng.exponential(1e-3, size=200)
    rising = steady * np.repeat([1.0, 5.0], 100)
    assert not still_drifts(steady)
    assert still_drifts(rising)
    assert "still drifts" in flux_notes({"right": rising}, 0)[0].text


@pytest.mark.random_outcome
def test_the_running_interval_narrows_and_ends_at_the_estimate(margin) -> None:
    flux = np.random.default_rng(4).exponential(1e-3, size=400)
    running = follow_flux(flux, 50)
    width = running.high - running.low
    assert (running.low <= running.mean).all()
    assert (running.mean <= running.high).all()
    margin("last / early width", width[-1] / width[5], below=0.6)
    assert running.n_iter[-1] == 400
    assert running.mean[-1] == pytest.approx(flux[50:].mean())
    assert len(follow_flux(flux[:12], 8).n_iter) == 0
