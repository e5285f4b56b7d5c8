"""``weft sites check`` on a real Slurm: what is wrong is named in time, and why."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from site_configs.build import ROLES

PATIENCE_S = 60.0
"""A fault is explained by then, whatever it is."""
READY, NOT_READY, BAD_SITE = 0, 1, 2


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Any:
    """Return a Slurm without accounting, or the one that a test names."""
    return request.getfixturevalue(getattr(request, "param", "slurm"))


@pytest.fixture
def check(
    cluster: Any, make_site: Callable[..., Path], weft: Any, tmp_path: Path
) -> Iterator[Callable[..., tuple[int, str]]]:
    """Return a function: settings of executor gpu -> exit status and screen.

    With ``roles``, each role has an executor of its own on the cpu nodes instead.
    """

    def run(
        *options: str, roles: dict[str, dict[str, Any]] | None = None, **gpu: Any
    ) -> tuple[int, str]:
        site = make_site(tmp_path, **gpu)
        if roles:
            said = yaml.safe_load(site.read_text())
            said["executors"] = {r: said["executors"]["cpu"] | roles[r] for r in roles}
            said["roles"] = {role: role for role in roles}
            site.write_text(yaml.safe_dump(said))
        began = time.monotonic()
        weft.environment = cluster.environment | {"COLUMNS": "200"}
        done = weft.call("sites", "check", site, *options)
        assert time.monotonic() - began < PATIENCE_S
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, " ".join(done.stdout.split())

    yield run
    wait_for_empty_queue(cluster)


def wait_for_empty_queue(cluster: Any) -> None:
    end = time.monotonic() + 10
    while cluster.jobs():
        assert time.monotonic() < end, "the check left a job behind"
        time.sleep(0.2)


def test_a_good_site_is_ready(check, tmp_path: Path) -> None:
    status, screen = check("--submit", scratch=str(tmp_path / "scratch"))
    assert status == READY, screen
    for words in ("seen both ways", "came back from gpu", "came back from cpu",
                  "from this host's", "CUDA_VISIBLE_DEVICES=", "GiB free",
                  "Next: weft run campaign.yaml --site"):  # fmt: skip
        assert words in screen
    assert "MEND" not in screen
    assert not list((tmp_path / "runs").iterdir())


@pytest.mark.parametrize(
    ("gpu", "words"),
    [
        ({"partition": "gpus"}, ["no partition gpus; it has cpu, gpu",
                                 "invalid partition specified: gpus"]),
        ({"partition": "cpu"}, ["partition cpu has no GPUs; with GPUs: gpu",
                                "Requested node configuration is not available"]),
        ({"walltime": "02:00:00"}, ["partition gpu ends jobs after 01:00:00"]),
        ({"constraint": "a100"}, ["Invalid feature specification"]),
        ({"account": "<project>"}, ["still <project>"]),
        ({"address": "10.255.255.1"}, ["10.255.255.1 is no address of this host"]),
        ({"interface": "ib7"}, ["no network interface 'ib7'"]),
    ],
)  # fmt: skip
def test_what_slurm_would_refuse_is_named_before_it_is_asked(
    check, gpu: dict[str, Any], words: list[str]
) -> None:
    status, screen = check("--submit", **gpu)
    assert status == BAD_SITE, screen
    assert "MEND" in screen
    for part in words:
        assert part in screen


FAULTS = {
    "environment": (
        {"worker_init": "source /nowhere/bin/activate || exit 3"},
        ["/nowhere/bin/activate: No such file or directory", "worker_init"],
    ),
    "module": (
        {"worker_init": "module load nosuch"},
        ["module: command not found", "source /etc/profile"],
    ),
    "path": ({"worker_init": "export PATH=/usr/bin:/bin"}, ["command not found"]),
    "scratch": (
        {"scratch": "/sys/weft"},
        ["/sys/weft", "Set scratch to a folder that nodes have and may write to"],
    ),
    "quota": (
        {"worker_init": "ulimit -f 512"},  # KiB: less than the probe writes
        ["run folder │ MEND │ [Errno 27] File too large",
         "kernel cache │ MEND │ [Errno 27] File too large", "or the quota"],
    ),
    "none": ({}, ["probe task │ ok │ came back from cpu"]),
}  # fmt: skip


@pytest.mark.parametrize(
    "faults", [("environment", "module", "path"), ("scratch", "quota", "none")]
)
def test_what_fails_on_the_node_is_told_in_its_own_words(
    check, faults: tuple[str, ...]
) -> None:
    wanted = {role: FAULTS[fault] for role, fault in zip(ROLES, faults, strict=True)}
    asked = {role: settings for role, (settings, _) in wanted.items()}
    status, screen = check("--submit", roles=asked)
    assert status == NOT_READY, screen
    rows = screen.partition("as its workers see it")[2]
    for role, (_, words) in wanted.items():
        mine = rows.partition(f"│ {role} │")[2].partition("├─")[0]
        for part in words:
            assert part in mine, screen


@pytest.mark.parametrize("cluster", ["slurm_with_accounting"], indirect=True)
def test_an_account_that_slurm_refuses_is_told_in_its_words(check) -> None:
    status, screen = check("--submit", account="no_project")
    assert status == BAD_SITE, screen
    assert "Invalid account or account/partition combination specified" in screen
    assert "sacctmgr show assoc user=$USER" in screen


def test_a_folder_that_cannot_be_written_here_is_named(slurm, weft, make_site) -> None:
    weft.environment = slurm.environment
    site = make_site(weft.folder)
    done = weft.call("sites", "check", site, "--submit", "--runs", "/sys/weft")
    assert done.returncode == BAD_SITE
    assert "Run folders cannot be written from here" in done.stderr
    assert "Traceback" not in done.stderr


def can_unshare() -> bool:
    return subprocess.run(["unshare", "-n", "true"], check=False).returncode == 0


@pytest.mark.skipif(
    os.geteuid() != 0 or not can_unshare(),
    reason="a pool without a network needs root and unshare",
)
def test_workers_that_cannot_reach_the_driver_say_so(check) -> None:
    status, screen = check("--submit", container="unshare -n")
    assert status == NOT_READY, screen
    assert "Workers reach no address of this host: set interface" in screen


def test_a_full_queue_is_no_fault(check, slurm: Any) -> None:
    jobs = [
        slurm.submit("sleep 300", "--partition=gpu", "--exclusive", "--nodes=1")
        for _ in range(2)
    ]
    try:
        status, screen = check("--submit", "--wait", "3")
    finally:
        slurm.ask("scancel", *jobs)
    assert status == NOT_READY, screen
    assert "Still queued after 3 s (" in screen
    assert "no fault: run the check again with a longer --wait" in screen
