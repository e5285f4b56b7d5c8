"""A disk that is full makes an error that says so, never a wrong file."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from apps.science.disk import describe_full, free_bytes, is_disk_full, parse_quota
from apps.science.errors import DiskFullError, WeftError
from apps.science.we.failures import FailureBudgets, FailureKind, classify_failure

FILL = Path(__file__).with_name("fill_disk.py")
RUN = Path(__file__).with_name("run_on_full_disk.py")
ROOT = Path(__file__).parents[3]
NAMESPACE = ["unshare", "--mount"] if os.getuid() == 0 else ["unshare", "-Urm"]


def can_mount() -> bool:
    script = "mount -t tmpfs -o size=8k none /tmp"
    try:
        done = subprocess.run(
            [*NAMESPACE, "sh", "-c", script], capture_output=True, check=False
        )
    except OSError:
        return False
    return done.returncode == 0


def can_loop(folder: Path) -> bool:
    """Tell whether a file can be mounted as an ext4."""
    image = folder / "tried"
    image.write_bytes(bytes(1 << 20))
    script = 'mkfs.ext4 -q -m 0 "$0" && mount -o loop "$0" /mnt'
    done = subprocess.run(
        [*NAMESPACE, "sh", "-c", script, image], capture_output=True, check=False
    )
    return done.returncode == 0


def fill(folder: Path, disk: str) -> dict[str, dict[str, int]]:
    command = [sys.executable, str(FILL), str(folder), disk]
    if disk != "limit":
        if not can_mount() or (disk == "ext4" and not can_loop(folder)):
            pytest.skip("no such file system may be mounted here")
        command = [*NAMESPACE, *command]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, dict[str, int]] = json.loads((folder / "counts.json").read_text())
    return found


@pytest.mark.parametrize("disk", ["tmpfs", "ext4", "limit"])
def test_every_writer_is_right_or_says_that_the_disk_is_full(tmp_path, disk) -> None:
    for writer, seen in fill(tmp_path, disk).items():
        assert set(seen) == {"right", "full"}, (writer, seen)


def test_a_run_that_fills_its_disk_goes_on_with_room_as_if_it_had_not(
    tmp_path,
) -> None:
    if not can_mount():
        pytest.skip("no file system may be mounted here")
    command = [*NAMESPACE, sys.executable, str(RUN), str(tmp_path)]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr[-2000:]
    outcomes = json.loads((tmp_path / "outcomes.json").read_text())
    assert set(outcomes.values()) == {"full, then the same", "done, then the same"}


def test_the_sentence_says_which_file_system_and_what_is_free(tmp_path) -> None:
    said = describe_full(tmp_path / "new" / "a.h5", errno.ENOSPC)
    assert f"{tmp_path}/new/a.h5 could not be written" in said
    assert "file system at /" in said
    assert "free to you" in said
    assert "quota" in describe_full(tmp_path, errno.EDQUOT)
    assert "ulimit -f" in describe_full(tmp_path, errno.EFBIG)


def test_a_full_disk_is_known_in_whatever_it_is_wrapped() -> None:
    wrapped = ValueError("cannot close the ZIP file")
    wrapped.__context__ = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert is_disk_full(wrapped)
    assert is_disk_full(OSError("write failed: errno = 122, 'Disk quota exceeded'"))
    assert is_disk_full(DiskFullError("The disk is full: a.h5"))
    assert not is_disk_full(OSError(errno.ENOENT, "no such file"))
    assert not is_disk_full(WeftError("bad"))


def test_a_block_that_met_a_full_disk_is_not_sent_again() -> None:
    kind = classify_failure(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert kind is FailureKind.DISK_FULL
    assert FailureBudgets().allowed(kind) == 0


def test_what_is_free_counts_the_quota(tmp_path, monkeypatch) -> None:
    held = os.statvfs(tmp_path)
    assert 0 < free_bytes(tmp_path / "not" / "yet") <= held.f_blocks * held.f_frsize
    mount = next(str(p) for p in (tmp_path, *tmp_path.parents) if os.path.ismount(p))
    script = tmp_path / "quota"
    script.write_text(f"#!/bin/sh\necho 'x blocks quota'\necho '{mount} 10* 8 12 0'\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert free_bytes(tmp_path) == 2 * 1024


def test_quotas_are_read_as_quota_and_lfs_print_them() -> None:
    quota = "Disk quotas for user a (uid 1): \n/dev/sda1 90 100 120 0 5 0 0 0\n"
    assert parse_quota(quota, {"/dev/sda1"}) == [30 * 1024]
    assert parse_quota(quota, {"/dev/sdb1"}) == []
    lustre = "/lustre 200* 100 150 - 5 0 0 -\n"
    assert parse_quota(lustre, {"/lustre"}) == [0]
    assert parse_quota("/home 50 0 0 0\n", {"/home"}) == [], "no limit"
