"""Where and with what a run was made: environment.json."""

import importlib
import os
import platform
import shutil
import socket
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from apps.science.plugin_places import list_distributions

PACKAGES = (
    "weft", "parsl", "westpa", "openmm", "torch", "torchmd-net", "torchmd", "mdtraj",
    "deeptime", "h5py", "numpy", "numba", "scipy", "pydantic",
)  # fmt: skip
FORMATS = {
    "segments": "apps.science.segments.store",
    "shards": "apps.science.we.storage.shards",
    "frames": "apps.science.segments.frames",
    "walks": "apps.science.benchmark.reference",
    "training sets": "apps.science.cg.dataset.file",
    "mappings": "apps.science.cg.mapping.mapping",
    "checkpoints": "apps.science.learning.checkpoint",
    "TICA models": "apps.science.pcoords._tica_model",
}
"""Files that one stage writes and another reads, and the modules that name a SCHEMA."""


def describe_environment(site: str, source: Path) -> dict[str, Any]:
    """Return host, hardware, package versions and the source of a run."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": socket.gethostname(),
        "processor": _processor(),
        "n_cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpus": _ask("nvidia-smi", "--query-gpu=name", "--format=csv,noheader"),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES} | list_distributions(),
        "formats": {
            what: str(importlib.import_module(module).SCHEMA)
            for what, module in FORMATS.items()
        },
        "site": site,
        "git": _git_revision(),
        "campaign_source": str(source),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def _git_revision() -> str | None:
    folder = Path(__file__).parent
    lines = _ask("git", "-C", str(folder), "rev-parse", "HEAD")
    return lines[0] if lines else None


def _ask(*command: str) -> list[str]:
    """Return the lines a command prints; none where it is missing or fails."""
    if shutil.which(command[0]) is None:
        return []
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=20
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return []
    return done.stdout.split("\n")[:-1] if done.returncode == 0 else []
