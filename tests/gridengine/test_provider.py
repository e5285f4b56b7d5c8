"""What Parsl is told of jobs on a real Grid Engine, and of those that cannot start."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from parsl.jobs.states import JobState, JobStatus

from site_configs.checks.check import check_site
from site_configs.errors import SiteError
from site_configs.load import load_site
from site_configs.pools.gridengine_provider import PatientGridEngineProvider, read_state
from site_configs.pools.gridengine_queue import list_jobs, read_queue
from site_configs.pools.providers import make_provider

PATIENCE_S = 20.0
ANSWER = """<?xml version='1.0'?>
<job_info xmlns:xsd="http://localhost/qstat.xsd">
  <queue_info>
    <job_list state="running">
      <JB_job_number>11</JB_job_number>
      <JAT_prio>0.25000</JAT_prio>
      <JB_name>parsl.analysis.block-0.1763742919.25</JB_name>
      <JB_owner>ada</JB_owner>
      <state>dr</state>
      <queue_name>all.q@node1</queue_name>
      <slots>1</slots>
    </job_list>
  </queue_info>
  <job_info>
    <job_list state="pending">
      <JB_job_number>12</JB_job_number>
      <JB_name>sleep</JB_name>
      <JB_owner>ben</JB_owner>
      <state>qw</state>
      <queue_name></queue_name>
    </job_list>
  </job_info>
</job_info>
"""


def test_own_jobs_are_read_with_their_whole_names() -> None:
    (job,) = read_queue(ANSWER, "ada")
    assert job == ("11", "parsl.analysis.block-0.1763742919.25", "dr")


@pytest.mark.parametrize(
    ("letters", "state"),
    [
        ("qw", JobState.PENDING),
        ("Rq", JobState.PENDING),  # rescheduled
        ("t", JobState.RUNNING),  # on its way to the node: Parsl takes it for failed
        ("r", JobState.RUNNING),
        ("Rr", JobState.RUNNING),
        ("hqw", JobState.HELD),
        ("hRwq", JobState.HELD),
        ("s", JobState.HELD),
        ("S", JobState.HELD),
        ("T", JobState.HELD),
        ("dr", JobState.CANCELLED),
        ("dRr", JobState.CANCELLED),
        ("Eqw", JobState.FAILED),
        ("Ehqw", JobState.FAILED),
        (None, JobState.COMPLETED),
    ],
)
def test_letters_mean_states(letters: str | None, state: JobState) -> None:
    assert read_state(letters) == state


@pytest.fixture
def here(gridengine: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the cluster, which this process finds too."""
    for name, value in gridengine.environment.items():
        monkeypatch.setenv(name, value)
    return gridengine


@pytest.fixture
def provide(
    here: Any, make_site: Callable[..., Path], tmp_path: Path
) -> Callable[..., PatientGridEngineProvider]:
    """Return what makes the provider of executor gpu."""

    def make(**gpu: Any) -> PatientGridEngineProvider:
        site = load_site(make_site(tmp_path, **gpu))
        provider = make_provider(site.executors["gpu"], "")
        provider.script_dir = str(tmp_path)
        return provider

    return make


def wait_for_end(provider: PatientGridEngineProvider, job: str) -> JobStatus:
    end = time.monotonic() + PATIENCE_S
    while not (status := provider.status([job])[0]).terminal:
        assert time.monotonic() < end, status
        time.sleep(0.1)
    found: JobStatus = status
    return found


def test_a_job_is_followed_to_its_last_words(provide) -> None:
    provider = provide()
    job = provider.submit("echo slots $NSLOTS; echo oh >&2; sleep 1", 1, "weft")
    status = wait_for_end(provider, job)
    assert status.state == JobState.COMPLETED
    assert "slots 2" in str(status.stdout)
    assert status.stderr == "oh\n"
    assert provider.cancel([job]) == [True], "one that has ended is no failure"
    assert provider.status([job])[0].state == JobState.COMPLETED


def test_a_job_runs_in_a_folder_of_any_name(
    provide, tmp_path: Path, odd_folder: str
) -> None:
    folder = tmp_path / f"{odd_folder} a:b #%j"
    folder.mkdir()
    provider = provide()
    provider.script_dir = str(folder)
    job = provider.submit("echo it ran", 1, "weft")
    status = wait_for_end(provider, job)
    end = time.monotonic() + PATIENCE_S
    while "it ran" not in (status.stdout_summary or ""):
        assert time.monotonic() < end, list(tmp_path.rglob("*"))
        time.sleep(0.2)
    assert not list(tmp_path.rglob("X"))


def test_a_cancelled_job_ends_and_stays_so(provide) -> None:
    provider = provide()
    job, other = (provider.submit("sleep 60", 1, "weft") for _ in range(2))
    assert provider.cancel([job]) == [True]
    assert provider.status([job])[0].state == JobState.CANCELLED
    assert not provider.status([other])[0].terminal
    assert provider.cancel([job, other]) == [True, True]


def test_a_job_that_cannot_start_is_explained_and_removed(
    here, provide, tmp_path: Path
) -> None:
    provider = provide(scheduler_options="-h")
    (nowhere := tmp_path / "nowhere").mkdir()
    provider.script_dir = str(nowhere)
    job = provider.submit("true", 1, "weft")
    shutil.rmtree(nowhere)  # its output would go there
    here.ask("qrls", job)
    status = wait_for_end(provider, job)
    assert status.state == JobState.FAILED
    assert "nowhere/weft" in str(status.message)
    assert "No such file or directory" in str(status.message)
    assert job not in {listed.job_id for listed in list_jobs()}


def test_a_refusal_carries_grid_engines_words(provide) -> None:
    with pytest.raises(SiteError, match=r"requested project .*abc.* does not exist"):
        provide(account="abc").submit("true", 1)


@pytest.mark.parametrize(
    ("gpu", "what", "words"),
    [
        ({"queue": "gpus"}, "queue", "there is no queue gpus; it has all.q, gpu.q"),
        ({"queue": "gpus"}, "submit script", 'unknown queue "gpus"\nSet queue to'),
        ({"scheduler_options": "#$ -pe mpi 2"}, "parallel environment",
         "there is no mpi; it has smp"),
        ({"scheduler_options": "#$ -l mem_free=1G"}, "submit script",
         "does not look at what hosts measure"),
        ({"scheduler_options": ""}, "parallel environment", "grants one core unless"),
        ({"walltime": "02:00:00"}, "submit script", "Shorten walltime"),
        ({"queue": "gpu*"}, "submit script", "qsub -w v takes it"),
    ],
)  # fmt: skip
def test_what_a_site_asks_is_checked_before(
    here, make_site, tmp_path: Path, gpu: dict[str, Any], what: str, words: str
) -> None:
    checks = check_site(load_site(make_site(tmp_path, **gpu)), roles=["md"])
    assert [c for c in checks if c.what == what and words in c.detail], checks
    assert not here.jobs(), "nothing was submitted"
