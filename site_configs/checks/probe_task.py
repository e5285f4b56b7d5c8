"""What one worker sees: runs on the node, sent by ``weft sites check --submit``."""

import importlib
import os
import platform
import shutil
import socket
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from site_configs.checks.host_name import ask_host_name
from site_configs.pools.worker_setup import VISIBLE

PACKAGES = ("weft", "parsl", "numpy", "torch", "openmm", "westpa")
MODULES = ("apps.propagate", "apps.train", "campaign.config")
"""What the tasks of a campaign import first."""

WRITTEN_BYTES = 1 << 20


def look_around(folder: str, token: str, role: str) -> dict[str, Any]:
    """Return what this worker is and sees; nothing here raises.

    Parameters
    ----------
    folder
        Where the driver wrote ``driver.txt`` with ``token``; the answer goes there.
    """
    found: dict[str, Any] = {
        "host": os.environ.get("SLURMD_NODENAME") or socket.gethostname(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "cores": _cores(),
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
        "packages": {name: _version(name) for name in PACKAGES},
        "imports": {name: _import(name) for name in MODULES},
        "run_folder": _exchange(Path(folder), token, role),
        "run_folder_write": _write(Path(folder)),
        "cache_write": _write(_cache()),
        "visible": {n: os.environ[n] for n in VISIBLE.values() if n in os.environ},
        "gpus": _gpus(),
        "host_name": ask_host_name(),
    }
    scratch = os.environ.get("WEFT_SCRATCH")
    if scratch:
        found["scratch"] = scratch
        found["scratch_write"] = _write(Path(scratch))
    return found


def tell_time() -> float:
    """Return this node's clock, s since the epoch."""
    return time.time()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _import(module: str) -> dict[str, Any]:
    began = time.monotonic()
    try:
        importlib.import_module(module)
    except Exception as error:  # whatever its engines raise
        return {"error": f"{type(error).__name__}: {error}"}
    return {"seconds": round(time.monotonic() - began, 2)}


def _exchange(folder: Path, token: str, role: str) -> str:
    """Read the driver's token and answer it; return what is wrong."""
    try:
        read = (folder / "driver.txt").read_text(encoding="utf-8")
        if read != token:
            return f"{folder}/driver.txt holds another text: not the driver's folder"
        (folder / f"worker-{role}.txt").write_text(token[::-1], encoding="utf-8")
    except OSError as error:
        return str(error)
    return ""


def _cache() -> Path:
    """Return where kernels are compiled; usually below the home folder."""
    return Path(os.environ.get("WARP_CACHE_PATH") or Path.home() / ".cache" / "weft")


def _write(folder: Path) -> dict[str, Any]:
    """Write a mebibyte, as a quota counts what is written and not what is free."""
    path = folder / f".weft-probe-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as out:
            out.write(bytes(WRITTEN_BYTES))
            out.flush()
            os.fsync(out.fileno())
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return {"folder": str(folder), "error": str(error)}
    finally:
        path.unlink(missing_ok=True)
    return {"folder": str(folder), "free_gib": round(free / 2**30, 1)}


def _gpus() -> dict[str, Any]:
    """Return what torch and OpenMM find."""
    found: dict[str, Any] = {}
    try:
        import torch

        found["torch"] = [
            torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())
        ]
        if hasattr(torch, "xpu") and torch.xpu.is_available():
            found["torch"] += [f"XPU {i}" for i in range(torch.xpu.device_count())]
        found["build"] = str(torch.version.cuda or torch.version.hip or "CPU only")
    except Exception as error:  # a broken driver raises what it likes
        found["error"] = f"{type(error).__name__}: {error}"
    try:
        import openmm

        found["openmm"] = [
            openmm.Platform.getPlatform(i).getName()
            for i in range(openmm.Platform.getNumPlatforms())
        ]
    except Exception as error:
        found["openmm_error"] = f"{type(error).__name__}: {error}"
    return found
