"""What a run has done so far, from its files alone; nothing is started or changed."""

import json
import os
from pathlib import Path
from typing import Any

import psutil

from apps.science.errors import ConfigError
from campaign.heartbeat import beats
from campaign.last_iteration import read_last_iteration, say_iteration, we_folder
from campaign.layout import RunDir
from campaign.ledger import Entry, Ledger
from campaign.timeline import orchestration_share


def read_status(run_dir: Path) -> dict[str, Any]:
    """Return name, state, stages and the orchestration share of a run.

    Raises
    ------
    ConfigError
        If ``run_dir`` is no run folder.
    """
    paths = RunDir(run_dir.absolute())
    if not paths.ledger.exists():
        raise ConfigError(
            f"{run_dir} is not a run folder: it has no ledger.jsonl. "
            "Give the folder that `weft run` named, such as runs/<name>."
        )
    entries = Ledger(paths.ledger).entries()
    names = next((e.stages for e in reversed(entries) if e.stages), [])
    alive = driver_alive(paths)
    stages = [_stage(paths, name, entries, alive) for name in names]
    return {
        "name": paths.name,
        "state": _state(stages, alive),
        "run_dir": str(paths.root),
        "stages": stages,
        "orchestration_share": orchestration_share(paths.root),
        "report": str(paths.report) if paths.report.exists() else None,
    }


def read_driver(paths: RunDir) -> dict[str, Any]:
    """Return process id, host and start of the last driver, {} where none was."""
    if not paths.driver.exists():
        return {}
    found: dict[str, Any] = json.loads(paths.driver.read_text(encoding="utf-8"))
    return found


def driver_alive(paths: RunDir) -> bool:
    """Tell whether the driver named in driver.json lives, here or on its host."""
    driver = read_driver(paths)
    if not driver:
        return False
    if driver["host"] != os.uname().nodename:
        return beats(paths.heartbeat)
    try:
        process = psutil.Process(driver["pid"])
        return bool(abs(process.create_time() - driver["created"]) < 1.0)
    except psutil.Error:
        return False


def _stage(
    paths: RunDir, name: str, entries: list[Entry], alive: bool
) -> dict[str, Any]:
    mine = [e for e in entries if e.stage == name]
    started = next((e.time for e in mine if e.event == "started"), None)
    last = mine[-1] if mine else None
    state, ended = "waiting", None
    if last is not None:
        state = {"started": "running" if alive else "interrupted"}.get(
            last.event, last.event
        )
        ended = last.time if last.event in {"done", "failed"} else None
    folder = we_folder(paths, name)
    iteration = read_last_iteration(folder) if folder and last else None
    progress = _progress(paths, name, state)
    if progress and iteration and state == "running":
        details = (progress["detail"], say_iteration(iteration))
        progress["detail"] = "; ".join(text for text in details if text)
    return {
        "name": name,
        "state": state,
        "started": started,
        "ended": ended,
        "seconds": last.seconds if last else None,
        "progress": progress,
        "iteration": iteration,
        "message": last.message if last else None,
    }


def _progress(paths: RunDir, name: str, state: str) -> dict[str, Any] | None:
    path = paths.progress(name)
    if not path.exists():
        return None
    progress: dict[str, Any] = {"detail": ""}
    progress |= json.loads(path.read_text(encoding="utf-8"))
    done, total = float(progress["done"]), float(progress["total"])
    progress["share"] = 1.0 if state == "done" else done / total if total else 0.0
    return progress


def _state(stages: list[dict[str, Any]], alive: bool) -> str:
    states = {s["state"] for s in stages}
    if states == {"done"}:
        return "done"
    if alive:
        return "running"
    return "failed" if "failed" in states else "interrupted"
