"""A campaign on a disk that is too small: one sentence, and no traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

WEFT = Path(sys.executable).with_name("weft")
NAMESPACE = ["unshare", "--mount"] if os.getuid() == 0 else ["unshare", "-Urm"]
SCRIPT = (
    'mount -t tmpfs -o size=300k none "$1" || exit 99; cd "$1"; '
    'exec "$0" run "$2" --runs runs'
)


def test_a_campaign_that_fills_its_disk_says_so_in_one_line(
    tmp_path, alanine_yaml
) -> None:
    done = subprocess.run(
        [*NAMESPACE, "sh", "-c", SCRIPT, WEFT, tmp_path, alanine_yaml],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip("nothing may be mounted here")
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("weft: The disk is full: ")
    assert f"the tmpfs file system at {tmp_path}" in line
    assert line.endswith("with room again: weft resume runs/alanine_dipeptide")
    assert "Traceback" not in done.stdout
