"""What a run has done so far, from its files alone; nothing is started or changed."""

import os
import time
from pathlib import Path
from typing import Any

import psutil

from apps.science.files import read_json
from campaign.declared import Stage, we_folder
from campaign.layout.run_dir import RunDir
from campaign.ledger import NOTES, Entry, Ledger
from campaign.opening.run_folder import check_is_run
from campaign.opening.told import read_stages
from campaign.watching.blocks import list_lost
from campaign.watching.expected import compare
from campaign.watching.forecast import forecast, seconds_left
from campaign.watching.heartbeat import beats
from campaign.watching.history import History
from campaign.watching.hours import Shares, add_hours, read_shares
from campaign.watching.last_iteration import read_last_iteration, say_iteration
from campaign.watching.notes import FRESH_S, events_file, now_file
from campaign.watching.pools import (
    count_blocks,
    count_tries,
    describe_pools,
)
from campaign.watching.stuck import list_stuck
from campaign.watching.task_times import describe_tasks
from campaign.watching.timeline import idle_by_stage, orchestration_share, read_starts
from site_configs.pools.batch_jobs import JOBS_FILE, read_jobs

CLOCKS_DIFFER_S = 5.0
"""By so much a worker's clock may be behind the driver's."""


def read_status(run_dir: Path) -> dict[str, Any]:
    """Return what StatusReader does, of one look.

    Raises
    ------
    ConfigError
        If ``run_dir`` is no run folder.
    """
    return StatusReader(run_dir).read()


class StatusReader:
    """Reads the status of a run again and again; each noted line once."""

    def __init__(self, run_dir: Path) -> None:
        self.paths = RunDir(run_dir.absolute())
        if not self.paths.ledger.exists():
            check_is_run(run_dir, self.paths.resolved)
        self.history = History(self.paths)
        self._shares: Shares | None = read_shares(self.paths.site)

    def read(self) -> dict[str, Any]:
        """Return stages, workers, blocks, failed tries, hours, forecast.

        None stands for what no file tells. Times in seconds, since the epoch or long.
        """
        paths, history = self.paths, self.history
        history.look()
        clock = time.time()
        entries = Ledger(paths.ledger).entries()
        names = next((e.stages for e in reversed(entries) if e.stages), [])
        alive = driver_alive(paths)
        declared = read_stages(paths)
        stages = [_stage(paths, declared[name], entries, alive) for name in names]
        starts = read_starts(paths.root, clock if alive else None, history.tasks)
        begins = [begin for begin, _ in starts]
        now = _now(paths, clock) if alive else {}
        tries = count_tries(history.events, events_file(paths).exists())
        _wait_for_workers(stages, entries, history, now)
        _add_tasks(stages, history, starts, tries)
        ahead = _add_forecast(stages, history, begins, clock) if alive else None
        hours = self._shares and add_hours(
            self._shares, history.tasks, now.get("running", []), history.events,
            starts, clock,
        )  # fmt: skip
        driver_job = None if alive else read_driver_job(paths)
        return {
            "name": paths.name,
            "state": "queued" if driver_job else _state(stages, alive),
            "driver_job": driver_job,
            "run_dir": str(paths.root),
            "time": clock,
            "seconds": sum(end - begin for begin, end in starts),
            "n_starts": len(starts),
            "stages": stages,
            "pools": describe_pools(now) if now else None,
            "running": now.get("running", []),
            "blocks": count_blocks(history.events, begins, alive),
            "lost_blocks": list_lost(history.events, starts),
            "jobs_left": [] if alive else _jobs_left(paths),
            "failed_tries": tries["all"] if tries else None,
            "stood_still": list_stuck(history.events, begins[-1:]) if alive else [],
            "hours": hours,
            "forecast": ahead,
            "estimate": compare(paths, declared, stages),
            "orchestration_share": orchestration_share(paths.root, tasks=history.tasks),
            "report": str(paths.report) if paths.report.exists() else None,
        }


def read_driver(paths: RunDir) -> dict[str, Any]:
    """Return process id, host and start of the last driver, {} where none was."""
    return read_json(paths.driver) or {}


def read_driver_job(paths: RunDir) -> dict[str, Any] | None:
    """Return scheduler, job_id and time of a driver's job that has not begun."""
    job = read_json(paths.driver_job)
    begun = job and read_driver(paths).get("created", 0.0) > job["time"]
    return None if begun else job


def driver_alive(paths: RunDir) -> bool:
    """Tell whether the driver named in driver.json lives, here or on its host."""
    driver = read_driver(paths)
    if not driver:
        return False
    if driver["host"] != os.uname().nodename:
        return beats(paths.heartbeat)
    try:
        process = psutil.Process(driver["pid"])
        if process.status() == psutil.STATUS_ZOMBIE:
            return False  # it has ended; whoever started it has not looked yet
        return bool(abs(process.create_time() - driver["created"]) < 1.0)
    except psutil.Error:
        return False


def _now(paths: RunDir, clock: float) -> dict[str, Any]:
    """Return what the living driver says that goes on; {} where that is old."""
    found = read_json(now_file(paths)) or {}
    return found if clock - found.get("time", 0.0) < FRESH_S else {}


def _jobs_left(paths: RunDir) -> list[str]:
    """Return the batch jobs that a driver which is gone may have left behind."""
    return [j.job_id for j in read_jobs(paths.root / JOBS_FILE) if j.job_id]


def _wait_for_workers(
    stages: list[dict[str, Any]],
    entries: list[Entry],
    history: History,
    now: dict[str, Any],
) -> None:
    """Let a stage be queued, and not run, until a worker has begun a task of it."""
    queued = {e.stage for e in entries if e.event == "started" and e.queued}
    if not now or not all(task["stage"] for task in now["running"]):
        return  # nobody says what runs, or of which stage it is
    for stage in stages:
        name, given = stage["name"], stage["started"]
        if stage["state"] != "running" or name not in queued:
            continue
        begun = [t["since"] for t in now["running"] if t["stage"] == name]
        begun += [
            task.started
            for task in history.tasks
            if task.stage == name and task.started > given - CLOCKS_DIFFER_S
        ]
        if begun:
            stage["started"] = max(given, min(begun))
        else:
            stage["state"] = "queued"


def _add_tasks(
    stages: list[dict[str, Any]],
    history: History,
    starts: list[tuple[float, float]],
    tries: dict[str, dict[str, int]] | None,
) -> None:
    told = describe_tasks(history.tasks, idle_by_stage(history.tasks, starts))
    for stage in stages:
        stage["tasks"] = told.get(stage["name"])
        stage["failed_tries"] = tries.get(stage["name"]) if tries else None


def _add_forecast(
    stages: list[dict[str, Any]], history: History, begins: list[float], clock: float
) -> dict[str, Any] | None:
    lefts: dict[str, float | None] = {}
    for stage in (s for s in stages if s["state"] == "running"):
        notes = [
            e
            for e in history.events
            if e["event"] == "progress"
            and e["stage"] == stage["name"]
            and e["time"] >= max(begins[-1], stage["started"])
        ]
        lefts[stage["name"]] = stage["left_s"] = seconds_left(notes, clock)
    return forecast(stages, lefts, clock)


def _stage(
    paths: RunDir, declared: Stage, entries: list[Entry], alive: bool
) -> dict[str, Any]:
    name = declared.name
    mine = [e for e in entries if e.stage == name]
    again = max((k for k, e in enumerate(mine) if e.event == "again"), default=-1)
    mine = [e for e in mine[again + 1 :] if e.event not in NOTES]
    started = next((e.time for e in reversed(mine) if e.event == "started"), None)
    last = mine[-1] if mine else None
    state, ended = "waiting", None
    if last is not None:
        state = {"started": "running" if alive else "interrupted"}.get(
            last.event, last.event
        )
        ended = last.time if last.event in {"done", "failed"} else None
    folder = we_folder(paths, declared)
    iteration = read_last_iteration(folder) if folder and last else None
    progress = _progress(paths, name, state)
    if progress and iteration and state == "running":
        details = (progress["detail"], say_iteration(iteration))
        progress["detail"] = "; ".join(text for text in details if text)
    return {
        "name": name,
        "kind": declared.kind,
        "brief": declared.brief,
        "at_once": declared.at_once,
        "state": state,
        "started": started,
        "ended": ended,
        "seconds": last.seconds if last else None,
        "left_s": None,
        "progress": progress,
        "iteration": iteration,
        "message": last.message if last else None,
    }


def _progress(paths: RunDir, name: str, state: str) -> dict[str, Any] | None:
    found = read_json(paths.progress(name))
    if found is None:
        return None
    progress: dict[str, Any] = {"detail": ""} | found
    done, total = float(progress["done"]), float(progress["total"])
    progress["share"] = 1.0 if state == "done" else done / total if total else 0.0
    return progress


def _state(stages: list[dict[str, Any]], alive: bool) -> str:
    states = {s["state"] for s in stages}
    if not states and not alive:
        return "waiting"  # for its driver's job
    if states == {"done"}:
        return "done"
    if alive:
        return "running"
    return "failed" if "failed" in states else "interrupted"
