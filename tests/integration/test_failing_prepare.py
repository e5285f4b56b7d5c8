"""What goes wrong in the first of two tasks of a stage is told, not that it failed."""

import shlex
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[2]


def test_the_reason_is_that_of_the_task_that_others_wait_for(
    alanine_yaml: Path, weft
) -> None:
    campaign = yaml.safe_load(alanine_yaml.read_text())
    run_dir = weft.folder / "runs" / campaign["name"]
    # where a worker comes up there is a file in the place of the folder to be made
    site = yaml.safe_load((REPOSITORY / "site_configs" / "local.yaml").read_text())
    for executor in site["executors"].values():
        executor["worker_init"] = f"touch {shlex.quote(str(run_dir / 'system'))}"
    (weft.folder / "blocked.yaml").write_text(yaml.safe_dump(site))
    done = weft.call("run", alanine_yaml, "--site", weft.folder / "blocked.yaml")
    assert done.returncode == 1, done.stdout
    assert "Stage prepare failed" in done.stderr
    assert str(run_dir / "system") in done.stderr
    assert "Dependency" not in done.stderr
    stages = {s["name"]: s["state"] for s in weft.status(run_dir)["stages"]}
    assert stages["prepare"] == "failed"
