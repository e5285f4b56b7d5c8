"""A site that cannot work ends a campaign within a minute, in the scheduler's words."""

import time
from pathlib import Path

import pytest

LIMIT_S = 60

FAULTS = {
    "worker_init": ({"worker_init": "module load cuda/99\nexit 7"}, "module: command"),
    "partition": ({"partition": "gpus"}, "nvalid partition"),
    "gpus": ({"gpus_per_node": 8}, "node configuration is not available"),
    "walltime": ({"walltime": "48:00:00"}, "PartitionTimeLimit"),
}
ACCOUNT = {"account": "no_project"}, "Invalid account or account/partition combination"


def check_fault(toy, site: Path, words: str) -> None:
    began = time.monotonic()
    driver = toy.start(site)
    assert driver.wait(timeout=2 * LIMIT_S) == 1
    assert words in toy.weft.said()
    assert time.monotonic() - began < LIMIT_S
    toy.nothing_left()


@pytest.mark.parametrize(("settings", "words"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named(slurm, run_toy, make_site, settings, words) -> None:
    toy = run_toy(slurm)
    check_fault(toy, make_site(toy.weft.folder, **settings), words)


@pytest.mark.parametrize(
    ("settings", "words"),
    [FAULTS["worker_init"], ACCOUNT],
    ids=["worker_init", "account"],
)
def test_a_fault_is_named_where_jobs_are_accounted_for(
    slurm_with_accounting, run_toy, make_site, settings, words
) -> None:
    toy = run_toy(slurm_with_accounting)
    check_fault(toy, make_site(toy.weft.folder, **settings), words)
