"""A run folder that cannot be worked in is said before anything begins."""

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from apps.science.errors import ConfigError
from campaign.layout.run_dir import RunDir
from campaign.opening.run_folder import check_umask
from campaign.opening.start import start_campaign
from campaign.run import _driver_lock

WEFT = Path(sys.executable).with_name("weft")
NAMESPACE = ["unshare", "--mount"] if os.getuid() == 0 else ["unshare", "-Urm"]


@pytest.fixture
def run(tmp_path, alanine_yaml) -> RunDir:
    return start_campaign(alanine_yaml, "local", tmp_path / "runs")


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_is_named(run, monkeypatch, number) -> None:
    def refuse(*_args: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with (
        pytest.raises(ConfigError, match=r"\(.+ at /.*keeps no file locks.*--runs"),
        _driver_lock(run),
    ):
        pass


def test_a_umask_that_takes_ones_own_rights_is_refused(tmp_path, alanine_yaml) -> None:
    script = 'umask 777; exec "$0" run "$1" --runs runs'
    done = subprocess.run(
        ["sh", "-c", script, WEFT, alanine_yaml],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert "The umask is 0777" in done.stderr
    assert "umask 022" in done.stderr
    assert not list(tmp_path.iterdir())
    check_umask()


def test_runs_that_is_a_file_is_refused(tmp_path, alanine_yaml) -> None:
    (tmp_path / "runs").write_text("thesis")
    with pytest.raises(ConfigError, match=r"cannot be made.*--runs"):
        start_campaign(alanine_yaml, "local", tmp_path / "runs")
    assert (tmp_path / "runs").read_text() == "thesis"


def test_a_read_only_run_folder_is_said(run) -> None:
    root = run.root
    script = (
        'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 99; '
        'exec "$0" resume "$1"'
    )
    done = subprocess.run(
        [*NAMESPACE, "sh", "-c", script, WEFT, root],
        capture_output=True, text=True, check=False, cwd=root.parent,
    )  # fmt: skip
    if done.returncode in (1, 99) and "mount" in done.stderr:
        pytest.skip("nothing may be mounted here")
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert "cannot be written (Read-only file system" in line
