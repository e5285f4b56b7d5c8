"""A run's jobs are found again and cancelled; those of anyone else never are."""

import os
import stat
from pathlib import Path

import pytest

from site_configs.pools.batch_jobs import cancel_jobs, note_job, read_jobs


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a squeue and a scancel on PATH that work on a file of ``id|name|script``."""
    listing = tmp_path / "queue"
    listing.touch()
    programs = {
        "squeue": f"cat {listing}",
        "scancel": f'for i; do sed -i "/^$i|/d" {listing}; done',
    }
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, body in programs.items():
        program = folder / name
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return listing


def test_jobs_are_known_until_they_are_gone(queue: Path, tmp_path: Path) -> None:
    notes = tmp_path / "jobs.jsonl"
    for block in ("0", "1"):
        note_job(notes, "md", block, None, "slurm")
        note_job(notes, "md", block, f"1{block}", "slurm")
    note_job(notes, "analysis", "0", None, "slurm")  # killed while it was submitted
    assert [job.job_id for job in read_jobs(notes)] == ["10", "11", None]
    assert cancel_jobs(notes, tmp_path / "parsl") == []
    assert read_jobs(notes) == []


def test_only_the_jobs_of_the_run_are_cancelled(queue: Path, tmp_path: Path) -> None:
    notes, scripts = tmp_path / "jobs.jsonl", tmp_path / "parsl"
    for block, job_id in (("0", "10"), ("1", "11"), ("2", None)):
        note_job(notes, "md", block, job_id, "slurm")
    queue.write_text(
        "10|parsl.md.block-0.17.5|(null)\n"  # noted
        "11|somebody.else|/home/x/job.sh\n"  # the number was given out again
        f"12|parsl.md.block-2.18.1|{scripts}/000/submit_scripts/parsl.md.block-2\n"
        "13|parsl.md.block-0.16.2|/home/x/parsl/000/submit_scripts/parsl.md.block-0\n"
        f"14|weft|{scripts}/weft.17.1\n"  # a driver that waits for its turn
    )
    assert cancel_jobs(notes, scripts) == ["10", "12"]
    left = [line.split("|")[0] for line in queue.read_text().splitlines()]
    assert left == ["11", "13", "14"]
    assert read_jobs(notes) == []


def test_a_driver_that_is_a_job_does_not_cancel_itself(
    queue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes, scripts = tmp_path / "jobs.jsonl", tmp_path / "parsl"
    note_job(notes, "md", "0", "10", "slurm")
    queue.write_text(f"10|parsl.md.block-0.1|{scripts}/000/submit_scripts/x\n")
    monkeypatch.setenv("SLURM_JOB_ID", "10")
    assert cancel_jobs(notes, scripts) == []


def test_notes_are_kept_where_the_scheduler_does_not_answer(
    queue: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    notes = tmp_path / "jobs.jsonl"
    note_job(notes, "md", "0", "10", "slurm")
    program = tmp_path / "bin" / "squeue"
    program.write_text("#!/bin/sh\necho slurm is away >&2; exit 1\n")
    assert cancel_jobs(notes, tmp_path / "parsl") == []
    assert "slurm is away" in caplog.text
    assert "scancel 10" in caplog.text
    assert len(read_jobs(notes)) == 1


def test_a_torn_line_spoils_no_other(tmp_path: Path) -> None:
    notes = tmp_path / "jobs.jsonl"
    note_job(notes, "md", "0", "10", "slurm")
    with notes.open("a") as out:
        out.write('{"time": 17, "exec')
    note_job(notes, "md", "1", "11", "slurm")
    assert [job.job_id for job in read_jobs(notes)] == ["10", "11"]


def test_lines_that_are_no_notes_are_passed_over(tmp_path: Path) -> None:
    notes = tmp_path / "jobs.jsonl"
    note_job(notes, "md", "0", "10", "slurm")
    with notes.open("ab") as out:
        out.write(b"\xff\xfe\x00\n[1]\n" + b'{"from": "the future"}\n')
    note_job(notes, "md", "1", "11", "slurm")
    assert [job.job_id for job in read_jobs(notes)] == ["10", "11"]
