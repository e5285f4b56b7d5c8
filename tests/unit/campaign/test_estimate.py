"""What a campaign will take, counted from its settings, and the words for it."""

import json
from dataclasses import replace

import pytest
import yaml
from rich.console import Console

from campaign.campaign_type import load_type
from campaign.commands.estimate_words import list_lines, make_table, stage_seconds
from campaign.commands.probe import Rates, make_miniature
from campaign.config import load_campaign
from campaign.declared import Stages
from campaign.estimate.kept import keep_probe, list_work, say_too_little, write_estimate
from campaign.estimate.work import as_json, from_json, total_bytes
from campaign.layout.run_dir import RunDir
from campaign.types.force_field import type as force_field
from campaign.watching.expected import compare
from site_configs.load import load_site


@pytest.fixture
def alanine(alanine_yaml):
    return load_campaign(alanine_yaml)


def by_stage(works):
    return {work.stage: work for work in works}


def test_segments_time_and_frames_follow_from_the_settings(alanine) -> None:
    works = by_stage(list_work(alanine))
    sample = works["sample"]
    n_walkers = alanine.sample.bins.n_bins * alanine.sample.walkers_per_bin
    assert sample.side_by_side == n_walkers
    assert sample.amount == alanine.sample.n_iterations * n_walkers
    assert sample.simulated_ns == pytest.approx(sample.amount * 2e-3)  # 2 ps each
    assert sample.n_frames == sample.amount * 10
    assert sample.n_particles == 22
    assert works["reference"].simulated_ns == pytest.approx(0.8)
    assert works["reference"].n_tasks == 2
    assert works["train_weighted"].amount == sample.n_frames * 60


def test_stages_that_take_time_are_those_of_the_campaign(alanine) -> None:
    named = [stage.name for stage in force_field.stages(alanine)]
    worked = [work.stage for work in list_work(alanine)]
    assert [stage for stage in named if stage in worked] == worked
    assert set(named) - set(worked) == {"tica", "ingest", "report"}


def test_the_work_is_read_back_and_later_fields_are_passed_over(alanine) -> None:
    works = list_work(alanine)
    written = json.loads(json.dumps(as_json(works)))
    assert from_json([{**one, "colour": 1} for one in written]) == works
    assert from_json("nonsense") == []


def test_a_miniature_is_a_campaign_of_the_same_system(alanine, tmp_path) -> None:
    small = make_miniature(alanine, load_type("force_field"))
    path = tmp_path / "campaign.yaml"
    path.write_text(json.dumps(small))
    found = load_campaign(path)
    assert found.system == alanine.system
    assert found.model == alanine.model
    assert found.sample.bins == alanine.sample.bins
    shorter = by_stage(list_work(found))
    for stage, work in by_stage(list_work(alanine)).items():
        assert shorter[stage].amount <= work.amount


def test_a_budget_is_the_time_of_a_training(alanine_yaml, tmp_path) -> None:
    body = yaml.safe_load(alanine_yaml.read_text())
    del body["training"]["n_epochs"]
    body["training"]["budget_minutes"] = 30
    body["experiments"] = {
        "variants": {
            "timed": {},
            "both": {"training": {"n_epochs": 5}},
            "dotted": {"training.budget_minutes": 7},
        },
    }
    path = tmp_path / "campaign.yaml"
    path.write_text(yaml.safe_dump(body))
    config = load_campaign(path)
    works, site = by_stage(list_work(config)), load_site("local")
    for rates, s in ((Rates({}), None), (Rates({"train": 1e-9}), 1e-9), (
        Rates({"train": 1.0}), 1800 / works["train_both"].amount
    )):  # fmt: skip
        assert stage_seconds(works["train_timed"], rates, site) == 1800
        assert stage_seconds(works["train_dotted"], rates, site) == 420
        both = stage_seconds(works["train_both"], rates, site)
        assert both == pytest.approx(s and s * works["train_both"].amount)
    table = make_table(list(works.values()), site, None, 200)
    assert "30 min of training" in [str(cell) for cell in table.columns[1].cells]
    small = tmp_path / "small.yaml"
    small.write_text(json.dumps(make_miniature(config, load_type("force_field"))))
    for variant in load_campaign(small).variants:
        assert (variant.training.n_epochs, variant.training.budget_minutes) == (2, None)


def test_times_follow_from_rates_and_workers(alanine) -> None:
    site = load_site("local")
    sample = by_stage(list_work(alanine))["sample"]
    rates = Rates({"sample": 0.5})
    alone = stage_seconds(replace(sample, side_by_side=1), rates, site)
    assert alone == pytest.approx(0.5 * sample.amount)
    assert stage_seconds(sample, rates, site) < alone or site_is_single(site)
    assert stage_seconds(sample, Rates({}), site) is None


def site_is_single(site) -> bool:
    from site_configs.pools.capacity import count_workers

    return count_workers(site, "md") == 1


def test_too_little_room_is_said(alanine, tmp_path) -> None:
    huge = [replace(w, n_bytes=10**18) for w in list_work(alanine)]
    words = "\n".join(list_lines(huge, load_site("local"), tmp_path, None))
    assert "TOO LITTLE" in words
    paths = RunDir(tmp_path)
    paths.estimate.write_text(json.dumps({"work": as_json(huge), "expected_s": {}}))
    assert "are free" in say_too_little(paths)
    paths.estimate.unlink()
    assert say_too_little(paths) == ""


def test_a_task_longer_than_a_block_is_named(alanine, tmp_path) -> None:
    site = load_site("slurm")
    reference = by_stage(list_work(alanine))["reference"]
    # 400 ps in a task at 10 minutes a picosecond
    lines = list_lines([reference], site, tmp_path, Rates({"reference": 600.0}))
    assert any("reference: one task takes about" in line for line in lines)


def test_a_failed_probe_says_what_it_met(alanine, tmp_path) -> None:
    works, site = list_work(alanine), load_site("local")
    rates = Rates({"sample": 0.1}, "Stage prior failed: too few frames.")
    assert any("too few frames" in x for x in list_lines(works, site, tmp_path, rates))
    out = Console(width=110, record=True)
    out.print(make_table(works, site, rates, 110))
    table = out.export_text()
    assert "train_unweighted" in table
    assert "not measured" in table


def test_a_narrow_terminal_cuts_no_number(alanine) -> None:
    works, site = list_work(alanine), load_site("local")
    out = Console(width=60, record=True)
    out.print(make_table(works, site, Rates({"sample": 0.1}), 60))
    table = " ".join(out.export_text().split())
    assert "\N{HORIZONTAL ELLIPSIS}" not in table
    assert "2,000 frames" in table
    assert "benchmark_unweighted" in table
    assert "not measured" in table


def test_a_probe_is_remembered_for_the_same_campaign_alone(alanine, tmp_path) -> None:
    assert total_bytes(list_work(alanine)) > 0
    keep_probe(tmp_path, alanine, "local", {"sample": 12.0})
    paths = RunDir(tmp_path / "run")
    paths.root.mkdir()

    def expected(config, site):
        write_estimate(paths, config, tmp_path, site)
        return json.loads(paths.estimate.read_text())["expected_s"]

    assert expected(alanine, "local") == {"sample": 12.0}
    assert expected(alanine, "slurm") == {}
    longer = alanine.model_copy(update={"seed": 9})
    assert expected(longer, "local") == {}


def test_a_run_without_an_estimate_has_nothing_to_compare(tmp_path) -> None:
    stage = {"name": "sample", "state": "running", "iteration": None}
    assert compare(RunDir(tmp_path), Stages(), [stage]) == []
