"""Run a campaign on a disk that is filled again and again; with room, it is resumed.

``python fill_disk_of_campaign.py WEFT CAMPAIGN DISK OUT STAGE...`` in a mount namespace
fills DISK once in each STAGE, copies the finished run to OUT/run and writes what
every start of weft ended with to OUT/starts.json. Status 99: nothing may be mounted.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from apps.science.disk import free_bytes

WEFT, CAMPAIGN = sys.argv[1:3]
DISK, OUT = map(Path, sys.argv[3:5])
STAGES = sys.argv[5:]
RUN_DIR = DISK / "runs" / "small"
PATIENCE_S = 600.0
NO_MOUNT = 99


def has_begun(stage: str) -> bool:
    try:
        text = (RUN_DIR / "progress" / f"{stage}.json").read_text()
    except FileNotFoundError:
        return False
    return float(json.loads(text)["done"]) > 1


def fill(ballast: Path) -> None:
    """Leave no byte, though little files may have gone meanwhile."""
    with suppress(OSError), ballast.open("ab") as handle:
        size = handle.seek(0, os.SEEK_END)
        if (free := free_bytes(DISK)) > 0:
            os.posix_fallocate(handle.fileno(), size, free)


def start(*arguments: str | Path, until: str | None = None) -> dict[str, Any]:
    """Run weft, on a disk that is full from where ``until`` has begun."""
    out, err, ballast = OUT / "stdout", OUT / "stderr", DISK / "ballast"
    with out.open("w") as stdout, err.open("w") as stderr:
        driver = subprocess.Popen(
            [WEFT, *arguments], cwd=DISK, stdout=stdout, stderr=stderr
        )
        full, end = False, time.monotonic() + PATIENCE_S
        while driver.poll() is None:
            full = full or (until is not None and has_begun(until))
            if full:
                fill(ballast)
            if time.monotonic() > end:
                driver.kill()
            time.sleep(0.02)
    free = free_bytes(DISK)
    ballast.unlink(missing_ok=True)
    return {
        "until": until, "full": full, "free": free, "returncode": driver.returncode,
        "stdout": out.read_text(), "stderr": err.read_text(),
    }  # fmt: skip


def main() -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=256m", "none", DISK]
    if subprocess.run(mount, check=False).returncode:
        sys.exit(NO_MOUNT)
    first, *others = STAGES
    starts = [start("run", CAMPAIGN, "--runs", "runs", until=first)]
    starts += [start("resume", RUN_DIR, until=stage) for stage in others]
    starts.append(start("resume", RUN_DIR))
    shutil.copytree(RUN_DIR, OUT / "run", symlinks=True)
    (OUT / "starts.json").write_text(json.dumps(starts, indent=1))


if __name__ == "__main__":
    main()
