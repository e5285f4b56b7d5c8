"""What is wrong in a site file, in sentences that say what to write instead."""

import difflib
import re
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from site_configs.errors import SiteError
from site_configs.schema import ExecutorConfig, Retries, Scheduler, Site

# What people call a scheduler that is here by another name.
_SCHEDULERS = {
    "pbs": "pbspro", "openpbs": "pbspro", "pbs pro": "pbspro", "sge": "gridengine",
    "uge": "gridengine", "oge": "gridengine", "grid_engine": "gridengine",
    "k8s": "kubernetes", "globus": "globus_compute", "spectrum lsf": "lsf",
}  # fmt: skip
# Schedulers' own words for settings.
_SETTINGS = {
    "time": "walltime", "gres": "gpus_per_node, or scheduler_options",
    "gpus": "gpus_per_node", "mem": "memory_per_node_gib", "nodes": "nodes_per_block",
    "memory": "memory_per_node_gib", "cpus_per_task": "cores_per_node",
    "cpus_per_node": "cores_per_node", "ncpus": "cores_per_node",
    "ngpus": "gpus_per_node", "cores": "cores_per_node",
    "ntasks": "workers_per_node", "ntasks_per_node": "workers_per_node",
    "project": "account", "queue": "queue, or partition on Slurm",
    "modules": "worker_init", "setup": "worker_init", "env": "environment",
    "options": "scheduler_options", "provider": "scheduler",
}  # fmt: skip


def refuse_empty(raw: dict[str, Any], path: Path) -> None:
    """Refuse executors' settings without a value, which would silently be left out.

    Raises
    ------
    SiteError
        If there is one.
    """
    executors = raw.get("executors")
    for name, settings in (executors if isinstance(executors, dict) else {}).items():
        for key, value in (settings if isinstance(settings, dict) else {}).items():
            if value is None:
                raise SiteError(
                    f"{path} is not a valid site file:\n  executors.{name}.{key}: has "
                    "no value. Write one, or remove the line. A value that begins "
                    "with &, * or ! has to be in quotes."
                )


def explain_mistakes(error: ValidationError) -> list[str]:
    """Return a line for each mistake: which setting, what was found, what to write."""
    return [
        f"{'.'.join(map(str, problem['loc'])) or 'file'}: {_explain(problem)}"
        for problem in error.errors()
    ]


def _explain(problem: Any) -> str:
    kind, found, loc = problem["type"], problem["input"], problem["loc"]
    if kind == "extra_forbidden":
        return f"unknown setting{_suggest(loc)}"
    if kind == "value_error":
        return str(problem["msg"]).removeprefix("Value error, ")
    key = str(loc[-1]) if loc else ""
    if kind == "string_type" and isinstance(found, (bool, int, float)):
        return _ask_for_quotes(key, found)
    return f"{problem['msg']}, not {found!r}{_hint(loc, key, found)}"


def _ask_for_quotes(key: str, found: float | bool) -> str:
    if isinstance(found, bool):
        return (
            "is true or false, as YAML reads on, off, yes and no; put text in quotes, "
            f'{key}: "yes"'
        )
    if isinstance(found, float):
        return f"is the number {found}; put text, as you wrote it, in quotes"
    return f'is the number {found}; put text in quotes, {key}: "{found}"'


def _hint(loc: tuple[Any, ...], key: str, found: Any) -> str:
    """Return what to write in place of what people write for a setting."""
    if key == "scheduler":
        return _hint_scheduler(str(found).lower())
    if loc == ("executors",):
        return "; give each pool of workers a name, executors: {pool: {...}}"
    ports = re.fullmatch(r"(\d+)\s*[-:,]\s*(\d+)", str(found))
    if key == "port_range" and ports is not None:
        return f"; write [{ports[1]}, {ports[2]}]"
    if key == "scheduler_options" and isinstance(found, list):
        return "; write the lines below each other, after a |"
    if isinstance(found, (list, dict)):
        return "; text that begins with [ or { goes in quotes"
    return ""


def _hint_scheduler(word: str) -> str:
    if word == "torque":
        return "; PBS Pro and OpenPBS are served, Torque is not"
    near = _SCHEDULERS.get(word, word)
    return f"; did you mean {near}?" if near in get_args(Scheduler) else ""


def _suggest(loc: tuple[Any, ...]) -> str:
    models: dict[str, type[BaseModel]] = {
        "executors": ExecutorConfig,
        "retries": Retries,
    }
    model = models.get(str(loc[0]), Site) if len(loc) > 1 else Site
    known = list(model.model_fields)
    word = str(loc[-1])
    if model is ExecutorConfig and word in _SETTINGS:
        return f"; here it is {_SETTINGS[word]}"
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"
