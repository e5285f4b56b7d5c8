"""The alanine campaign end to end, undisturbed: what a user is promised."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from sockets import is_loopback

STAGES = [
    "prepare", "reference", "tica", "sample", "ingest", "prior", "dataset",
    "train_weighted", "train_unweighted", "benchmark_weighted",
    "benchmark_unweighted", "report",
]  # fmt: skip


def read_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_stage_is_done_once(uninterrupted) -> None:
    entries = read_lines(uninterrupted / "ledger.jsonl")
    done = [e["stage"] for e in entries if e["event"] == "done"]
    assert sorted(done) == sorted(STAGES)
    assert not [e for e in entries if e["event"] == "failed"]


def test_nothing_else_is_touched_whatever_the_folder_is_called(
    uninterrupted, odd_folder
) -> None:
    folder, beside = uninterrupted.parents[1], uninterrupted.parents[2]
    assert folder.name == odd_folder
    assert {path.name for path in beside.iterdir()} == {"a", odd_folder, "sockets.json"}
    assert (beside / "a").read_text() == "thesis"
    others = {"apps", "campaign", "site_configs"}
    assert {path.name for path in folder.iterdir()} == {"runs"} | others
    assert not list(beside.rglob("X"))


def test_nobody_else_reaches_any_process_in_any_stage(uninterrupted) -> None:
    """Driver, interchange, workers, training: loopback alone, or nothing."""
    found = json.loads((uninterrupted.parents[2] / "sockets.json").read_text())
    assert found["sockets"]
    elsewhere = [s for s in found["sockets"] if not is_loopback(s[1])]
    assert not elsewhere
    # the others may begin and end between two looks
    long = {"prepare", "reference", "sample", "train_weighted", "benchmark_weighted"}
    assert long <= set(found["stages"])


def test_status_gives_stages_and_the_orchestration_share(uninterrupted, weft) -> None:
    status = weft.status(uninterrupted)
    assert status["state"] == "done"
    assert [s["name"] for s in status["stages"]] == STAGES
    for stage in status["stages"]:
        assert stage["state"] == "done"
        assert stage["ended"] >= stage["started"]
    sample = next(s for s in status["stages"] if s["name"] == "sample")
    assert sample["progress"]["done"] == sample["progress"]["total"]
    assert 0.0 <= status["orchestration_share"] < 1.0


def test_ingested_weights_are_those_of_west_h5(uninterrupted) -> None:
    with (
        h5py.File(uninterrupted / "we" / "west.h5", "r") as west,
        h5py.File(uninterrupted / "segments.h5", "r") as segments,
    ):
        n_iter, seg_id = segments["n_iter"][:], segments["seg_id"][:]
        first_frame = segments["frame"][:] == 0
        for n in np.unique(n_iter):
            index = west[f"iterations/iter_{n:08d}/seg_index"]
            rows = first_frame & (n_iter == n)
            np.testing.assert_array_equal(
                segments["weight"][rows], index["weight"][seg_id[rows]]
            )
            assert index["weight"].sum() == pytest.approx(1.0, abs=1e-10)


def test_equilibrium_weights_stand_beside_the_raw_ones(uninterrupted) -> None:
    with h5py.File(uninterrupted / "segments.h5", "r") as segments:
        weights = segments["weight_eq"]
        assert len(weights) == len(segments["weight"])
        assert weights[:].sum() == pytest.approx(1.0, abs=1e-9)
        assert weights.attrs["features"] == "tica"
        assert 0.0 <= weights.attrs["distance"] < 1.0


def test_the_last_frame_of_a_parent_is_where_its_child_begins(uninterrupted) -> None:
    with h5py.File(uninterrupted / "we" / "west.h5", "r") as west:
        parents = west["iterations/iter_00000004/pcoord"][:, -1]
        child = west["iterations/iter_00000005"]
        np.testing.assert_array_equal(
            child["pcoord"][:, 0], parents[child["seg_index"]["parent_id"]]
        )


@pytest.mark.parametrize(
    "command",
    [
        ["w_pdist", "-W", "west.h5", "-o", "pdist.h5", "--serial"],
        ["w_trace", "-W", "west.h5", "5:0"],
    ],
)
def test_westpa_tools_read_the_run(uninterrupted, tmp_path, command) -> None:
    for name in ("west.h5", "west.cfg"):
        (tmp_path / name).write_bytes((uninterrupted / "we" / name).read_bytes())
    tool = Path(sys.executable).with_name(command[0])
    done = subprocess.run(
        [tool, *command[1:]], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp_path.glob("*.h5")) != [tmp_path / "west.h5"]


def test_both_models_are_judged_with_intervals_and_floor(uninterrupted) -> None:
    for model in ("weighted", "unweighted"):
        metrics = json.loads(
            (uninterrupted / "benchmark" / model / "metrics.json").read_text()
        )
        defined = {k: m for k, m in metrics["metrics"].items() if m["defined"]}
        assert {"bonds", "gyration", "tica2d", "coverage", "torsions"} <= set(defined)
        for name, metric in defined.items():
            assert metric["figures"], name
            for figure in metric["figures"].values():
                assert 0 <= figure["low"] <= figure["high"] < np.inf, (name, figure)
                assert 0 <= figure["floor"] < np.inf, (name, figure)
        for figure in defined["gyration"]["figures"].values():
            assert figure["low"] < figure["high"]
            assert figure["floor"] > 0


def test_the_report_is_one_page_that_needs_nothing_else(uninterrupted) -> None:
    page = (uninterrupted / "report" / "index.html").read_text()
    assert "Alanine" in page or "alanine" in page
    assert "@import" not in page
    shown = re.findall(r"""\ssrc\s*=\s*["']([^"']*)""", page)
    assert shown
    assert not [address for address in shown if not address.startswith("data:")]
    assert not re.findall(r"""url\(\s*["']?(?!data:|#)""", page)
    # a link may name a picture or table beside the page, to have it by itself
    linked = re.findall(r"""\s(?:xlink:)?href\s*=\s*["']([^"'#]+)""", page)
    for address in linked:
        if address.startswith("data:"):
            continue
        assert (uninterrupted / "report" / address).is_file(), address


def test_a_finished_campaign_is_resumed_without_work(uninterrupted, weft) -> None:
    before = read_lines(uninterrupted / "ledger.jsonl")
    done = weft.call("resume", uninterrupted)
    assert done.returncode == 0, done.stderr
    after = read_lines(uninterrupted / "ledger.jsonl")[len(before) :]
    assert [e["event"] for e in after] == ["run_started", "run_ended"]


def test_running_it_again_is_refused_with_the_resume_command(
    uninterrupted, weft, alanine_yaml
) -> None:
    done = weft.call("run", alanine_yaml, "--runs", uninterrupted.parent)
    assert done.returncode == 2
    assert "weft resume" in done.stderr


def test_a_changed_campaign_is_not_resumed(uninterrupted, weft) -> None:
    copy = weft.folder / "changed"
    shutil.copytree(uninterrupted, copy, ignore=shutil.ignore_patterns("we", "parsl"))
    campaign = copy / "campaign.yaml"
    campaign.write_text(campaign.read_text().replace("seed: 2026", "seed: 2027"))
    done = weft.call("resume", copy)
    assert done.returncode == 2
    assert "-seed: 2026" in done.stderr
    assert "+seed: 2027" in done.stderr


def test_a_stage_that_fails_names_its_log_and_the_way_on(weft, alanine_yaml) -> None:
    campaign = yaml.safe_load(alanine_yaml.read_text())
    campaign["name"] = "fails"
    campaign["reference"]["walk_length_ps"] = 40
    campaign["sample"]["n_iterations"] = 4
    campaign["dataset"] = {"weight_cutoff": 0.9}  # leaves no frame
    path = weft.folder / "campaign.yaml"
    path.write_text(yaml.safe_dump(campaign))
    done = weft.call("run", path)
    assert done.returncode == 1, done.stdout
    for words in ("Stage prior failed", "campaign.log", "weft resume runs/fails"):
        assert words in done.stderr
    run_dir = weft.folder / "runs" / "fails"
    assert not (run_dir / "cg" / "dataset.h5").exists()
    assert not list(run_dir.rglob("*.tmp*"))
    assert weft.status(run_dir)["state"] == "failed"

    # mended in the run's own campaign.yaml, it goes on from what is done
    mended = run_dir / "campaign.yaml"
    mended.write_text(mended.read_text().replace("cutoff: 0.9", "cutoff: 0.0"))
    driver = weft.start("resume", run_dir)

    def is_fitted() -> bool:
        entries = read_lines(run_dir / "ledger.jsonl")
        return ("done", "prior") in {(e["event"], e["stage"]) for e in entries}

    weft.wait_for(driver, is_fitted)
    weft.kill(driver)
    assert "Changed settings were taken: dataset.weight_cutoff" in weft.said()
    assert (run_dir / "resolved.1.yaml").exists()
    events = read_lines(run_dir / "ledger.jsonl")
    assert [e["stage"] for e in events if e["event"] == "started"].count("sample") == 1
