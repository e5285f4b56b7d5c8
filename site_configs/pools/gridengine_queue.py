"""The jobs of this user in Grid Engine's queue, as qstat tells of them."""

import getpass
import re
import subprocess
from collections.abc import Iterable
from typing import NamedTuple
from xml.etree import ElementTree

COMMAND_S = 60.0


class QueuedJob(NamedTuple):
    """A job that waits, runs, or could not start; one that ended is not listed."""

    job_id: str
    name: str
    state: str
    """Grid Engine's letters, such as qw, hqw, r, dr, Eqw."""


def list_jobs() -> list[QueuedJob]:
    """Return the jobs of this user, each once.

    Raises
    ------
    OSError
        If qstat is not there, or does not answer in XML.
    subprocess.SubprocessError
        If it fails, or takes too long.
    """
    user = getpass.getuser()
    done = subprocess.run(
        ["qstat", "-xml", "-u", user],
        capture_output=True, encoding="utf-8", errors="surrogateescape",
        check=True, timeout=COMMAND_S, process_group=0,
    )  # fmt: skip
    try:
        return read_queue(done.stdout, user)
    except ElementTree.ParseError as error:
        raise OSError(f"qstat -xml answered {done.stdout[:200]!r}: {error}") from None


def read_queue(answer: str, user: str) -> list[QueuedJob]:
    """Return the jobs of ``user`` in the answer of ``qstat -xml``.

    Plain qstat cuts names at ten characters, and a site may have changed its columns.
    """
    found = {}
    for entry in ElementTree.fromstring(answer).iter("job_list"):
        job_id, name, owner, state = (
            (entry.findtext(tag) or "").strip()
            for tag in ("JB_job_number", "JB_name", "JB_owner", "state")
        )
        if owner == user:
            found[job_id] = QueuedJob(job_id, name, state)
    return list(found.values())


def describe_jobs(job_ids: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return what ``qstat -j`` says, by job and field, of the jobs that it still has.

    Raises
    ------
    OSError
        If qstat is not there.
    subprocess.SubprocessError
        If it takes too long.
    """
    asked = ",".join(job_ids)
    if not asked:
        return {}
    done = subprocess.run(  # fails where every job has ended meanwhile
        ["qstat", "-j", asked],
        capture_output=True, encoding="utf-8", errors="surrogateescape",
        check=False, timeout=COMMAND_S, process_group=0,
    )  # fmt: skip
    found: dict[str, dict[str, str]] = {}
    for block in re.split(r"^=+$", done.stdout, flags=re.MULTILINE):
        # "error reason          1:      02/03/2026 ..." is of the job's task 1
        rows = re.findall(r"^(\w[\w ]*?)(?: +\d+)?: +(.*)$", block, re.MULTILINE)
        fields = {key: value.strip() for key, value in rows}
        if "job_number" in fields:
            found[fields["job_number"]] = fields
    return found
