"""The alanine campaign on a Slurm with GPU nodes ends as the one on this host does.

It lies in a folder of an odd name, which no shell of the way there may misread.
"""

from collections.abc import Callable
from pathlib import Path

import yaml


def test_the_same_bits_as_on_this_host(
    any_slurm,
    make_site,
    small_alanine: Path,
    weft,
    alanine_here: Path,
    compare_campaigns: Callable[[Path, Path], None],
    find_run_processes,
    odd_folder: str,
) -> None:
    beside = weft.folder
    weft.folder = beside / odd_folder
    weft.folder.mkdir()
    (beside / "a").write_text("thesis")
    weft.environment = any_slurm.environment
    done = weft.call("run", small_alanine, "--site", make_site(weft.folder))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    run_dir = weft.folder / "runs" / "alanine"
    compare_campaigns(run_dir, alanine_here)
    assert not find_run_processes(weft.folder)
    assert not any_slurm.jobs("PENDING,RUNNING")
    assert yaml.safe_load((run_dir / "site.yaml").read_text())["roles"]["md"] == "gpu"

    # one block for md and train on gpu, one for analysis on cpu
    rows = any_slurm.ask("squeue", "-h", "--states=all", "-o", "%P|%o")
    ours = [row.split("|", 1) for row in rows.splitlines() if str(run_dir) in row]
    assert {Path(script).name.split(".")[1]: part for part, script in ours} == {
        "md": "gpu",
        "analysis": "cpu",
    }
    assert {path.name for path in beside.iterdir()} == {"a", odd_folder}
    assert (beside / "a").read_text() == "thesis"
    assert {path.name for path in weft.folder.iterdir()} == {"runs", "site.yaml"}
    assert not list(beside.rglob("X"))
