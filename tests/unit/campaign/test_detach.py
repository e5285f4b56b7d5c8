"""``--detach`` says that a driver runs once it does, and else what the driver said."""

import json
import os
import subprocess
import sys
from pathlib import Path

import filelock
import psutil
import pytest

WEFT = Path(sys.executable).with_name("weft")


def resume_detached(run_dir: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [WEFT, "resume", run_dir, "--detach"], text=True, capture_output=True,
        check=False, timeout=120,
    )  # fmt: skip


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """Return a run folder that is asked to do what takes no time to refuse."""
    from campaign.opening.start import start_campaign

    examples = Path(__file__).parents[3] / "examples"
    source = examples / "02_alanine_dipeptide" / "campaign.yaml"
    return start_campaign(source, "local", tmp_path / "runs").root


def test_a_driver_that_is_refused_is_not_said_to_run(run_dir: Path) -> None:
    with filelock.FileLock(run_dir / "driver.lock"):
        done = resume_detached(run_dir)
    assert done.returncode == 1
    assert "The driver runs" not in done.stdout
    assert done.stderr.startswith("weft: Another driver works on")


def test_a_driver_that_finds_bad_settings_passes_its_status_on(run_dir: Path) -> None:
    (run_dir / "driver.out").write_text("weft: of an earlier start\n")
    with (run_dir / "site.yaml").open("a") as site:
        site.write("no_such_key: 1\n")
    done = resume_detached(run_dir)
    assert done.returncode == 2
    assert "The driver runs" not in done.stdout
    assert "no_such_key" in done.stderr
    assert "earlier start" not in done.stderr


def test_a_driver_said_to_run_holds_the_run_folder(run_dir: Path) -> None:
    done = resume_detached(run_dir)
    assert done.returncode == 0, done.stderr
    driver = json.loads((run_dir / "driver.json").read_text())
    assert f"process {driver['pid']};" in done.stdout
    process = psutil.Process(driver["pid"])
    assert os.getsid(process.pid) == process.pid
    process.terminate()
    process.wait(60)
