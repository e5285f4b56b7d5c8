"""What a batch system costs: weft on a one-host Slurm beside weft on the local site.

Brings up the cluster of the tests (two nodes each of cpu and gpu, on loopback); needs
Debian's Slurm programs. The last line is one JSON object.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "tests" / "slurm"))

from conftest import Cluster, bring_up, write_site, write_toy  # noqa: E402
from we_overhead import call  # noqa: E402

WEFT = [sys.executable, "-P", "-m", "campaign.cli"]
TOY = [sys.executable, str(REPOSITORY / "tests" / "slurm" / "weft_with_toy.py")]
ALANINE = REPOSITORY / "examples" / "02_alanine_dipeptide" / "campaign.yaml"
PATIENCE_S = 300.0


def main() -> None:
    """Take every figure and print a table, then the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one repeat of each")
    n_repeats = 1 if parser.parse_args().quick else 3
    os.environ["OMP_NUM_THREADS"] = "1"
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    print(f"{os.cpu_count()} cores, load before: {load}")
    for cluster in bring_up(accounting=False):
        os.environ.update(cluster.environment)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            site = write_site(folder)
            local, slurm = [], []
            for _ in range(n_repeats):
                local.append(call("weft", 33, 0, 40))
                slurm.append(call("weft", 33, 0, 40, site=str(site)))
            idle = measure_idle(folder, site)
            recovery = [
                measure_recovery(cluster, folder / str(k), site)
                for k in range(n_repeats)
            ]
    here, there = statistics.median(local), statistics.median(slurm)
    print(f"WE, 33 segments that cost nothing: local {here:.1f}, Slurm {there:.1f} ms")
    print(f"alanine on Slurm: idle {idle:.1%} of the slots' time in sampling")
    print(f"a lost block: {', '.join(f'{r:.1f}' for r in recovery)} s to work again")
    result = {
        "slurm_over_local": there / here,
        "idle_share": idle,
        "recovery_s": statistics.median(recovery),
    }
    print(json.dumps({key: round(value, 4) for key, value in result.items()}))


def measure_idle(folder: Path, site: Path) -> float:
    """Return the idle share of the md slots in sampling, after the first iteration."""
    config = yaml.safe_load(ALANINE.read_text()) | {"name": "alanine"}
    campaign = folder / "alanine.yaml"
    campaign.write_text(yaml.safe_dump(config))
    driver = start([*WEFT, "run", campaign, "--site", site], folder)
    run_dir = folder / "runs" / "alanine"
    wait_for(driver, lambda: "prior" in finished(run_dir, "started"))
    driver.terminate()
    driver.wait()
    journal = sorted((run_dir / "we" / "journal").glob("iter_*.json"))
    summaries = [json.loads(path.read_text())["summary"] for path in journal[1:]]
    spent = [s["propagate_s"] for s in summaries]
    return sum(
        s["idle_share"] * t for s, t in zip(summaries, spent, strict=True)
    ) / sum(spent)


def measure_recovery(cluster: Cluster, folder: Path, site: Path) -> float:
    """Return the time from the loss of a block to the next finished task.

    The scheduler's own part, queueing and starting the new job, is under a second on
    this empty cluster and is not taken off.
    """
    folder.mkdir()
    driver = start([*TOY, "run", write_toy(folder, 100), "--site", site], folder)
    shards = folder / "runs" / "toy" / "we" / "shards"

    def count() -> int:
        return len(list(shards.rglob("seg_*.h5")))

    wait_for(driver, lambda: count() > 8)
    (job,) = (job for job, node in cluster.jobs("RUNNING").items() if "gpu" in node)
    cluster.ask("scancel", job)
    began = time.monotonic()
    time.sleep(1.0)  # what was finished in that moment is not work of the new block
    before = count()
    wait_for(driver, lambda: count() > before)
    seconds = time.monotonic() - began
    driver.terminate()
    driver.wait()
    return seconds


def start(command: list[Any], folder: Path) -> "subprocess.Popen[bytes]":
    """Start a driver in ``folder``; what it says goes to a file there."""
    with (folder / "driver.out").open("ab") as out:
        return subprocess.Popen(
            [str(word) for word in command], cwd=folder, stdout=out, stderr=out
        )


def wait_for(driver: "subprocess.Popen[bytes]", reached: Callable[[], bool]) -> None:
    """Wait until ``reached``."""
    end = time.monotonic() + PATIENCE_S
    while not reached():
        if driver.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"the driver ended or hung: {driver.args!r}")
        time.sleep(0.05)


def finished(run_dir: Path, event: str) -> set[str]:
    """Return the stages of which the ledger holds ``event``."""
    ledger = run_dir / "ledger.jsonl"
    if not ledger.exists():
        return set()
    entries = [json.loads(line) for line in ledger.read_text().splitlines()]
    return {e["stage"] for e in entries if e["event"] == event and e["stage"]}


if __name__ == "__main__":
    main()
