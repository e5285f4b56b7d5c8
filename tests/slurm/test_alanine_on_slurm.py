"""The alanine campaign on a Slurm with GPU nodes ends as the one on this host does."""

from pathlib import Path

import yaml

CAMPAIGN = Path(__file__).with_name("alanine.yaml")


def test_the_same_bits_as_on_this_host(
    slurm, make_site, weft, tmp_path, compare_campaigns, find_run_processes
) -> None:
    done = weft.call("run", CAMPAIGN, "--runs", "local")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    weft.environment = slurm.environment
    done = weft.call("run", CAMPAIGN, "--site", make_site(tmp_path))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    run_dir = tmp_path / "runs" / "alanine"
    compare_campaigns(run_dir, tmp_path / "local" / "alanine")
    assert not find_run_processes(tmp_path)
    assert not slurm.jobs("PENDING,RUNNING")
    assert yaml.safe_load((run_dir / "site.yaml").read_text())["roles"]["md"] == "gpu"

    # one block for md and train on gpu, one for analysis on cpu
    rows = slurm.ask("squeue", "-h", "--states=all", "-o", "%P %o")
    ours = [row.split() for row in rows.splitlines() if str(run_dir) in row]
    assert {Path(script).name.split(".")[1]: part for part, script in ours} == {
        "md": "gpu", "analysis": "cpu",
    }  # fmt: skip
