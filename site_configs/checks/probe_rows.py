"""What a probe found -> the rows of the table: what is fine and what to mend."""

import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from site_configs.checks.check import Check, Level
from site_configs.checks.explain import advise, alarming_lines
from site_configs.checks.host_name import judge_host_name
from site_configs.checks.probe import Probe
from site_configs.schema import ExecutorConfig, Site

CLOCK_LOOK_S, CLOCK_MEND_S = 2.0, 60.0
"""Ends of blocks and ages of files are compared between clocks."""
SLOW_IMPORT_S = 60.0
FREE_LOOK_GIB = 5.0


def judge(site: Site, probes: Sequence[Probe]) -> list[Check]:
    """Return the rows of all probes; roles that share workers are judged once."""
    rows: list[Check] = []
    seen: dict[str, str] = {}
    for probe in probes:
        name = site.executor_of(probe.role) or probe.role
        shared = seen.setdefault(name, probe.role)
        executor = site.executors.get(name)
        if probe.found is None:
            known = any(row.detail == probe.trouble for row in rows)
            detail = f"the same as {shared}" if known else probe.trouble
            rows.append(Check(probe.role, "probe task", "mend", detail))
        elif shared != probe.role and site.python is None:
            detail = f"came back, from the same workers as {shared}"
            rows.append(Check(probe.role, "probe task", "ok", detail))
        else:
            rows += _judge_one(probe, probe.found, executor)
            if executor is not None and executor.task_spans_block:
                named = judge_host_name(probe.found["host_name"], site)
                rows.append(Check(probe.role, "host name", *named))
    return rows


def _judge_one(
    probe: Probe, found: dict[str, Any], executor: ExecutorConfig | None
) -> Iterator[Check]:
    role = probe.role
    detail = f"came back from {found['host']} after {probe.seconds:.0f} s"
    yield Check(role, "probe task", "ok", detail)
    yield from _worker_init(probe)
    yield _python(role, found)
    yield _project(role, found)
    yield _packages(role, found)
    yield _run_folder(probe, found)
    yield _writes(role, "run folder", found["run_folder_write"])
    yield _writes(role, "kernel cache", found["cache_write"])
    if "scratch_write" in found:
        yield _writes(role, "scratch", found["scratch_write"])
    yield _clock(probe)
    if executor is not None:
        yield _cores(role, found, executor)
        if executor.gpus_per_node:
            yield from _gpu(role, found, executor)


def _worker_init(probe: Probe) -> Iterator[Check]:
    """Show what went wrong before the workers, even though they came up."""
    lines = alarming_lines(probe.said)
    if lines:
        words = "\n".join(lines[:3])
        advice = advise(words)
        level: Level = "mend" if advice else "look"
        yield Check(probe.role, "worker_init", level, f"{words}\n{advice}".strip())


def _python(role: str, found: dict[str, Any]) -> Check:
    theirs, ours = found["python"], platform.python_version()
    if theirs.split(".")[:2] != ours.split(".")[:2]:
        detail = (
            f"{theirs} ({found['executable']}), but {ours} here: tasks cannot travel. "
            "Use one environment for both."
        )
        return Check(role, "Python", "mend", detail)
    return Check(role, "Python", "ok", f"{theirs}, {found['executable']}")


def _project(role: str, found: dict[str, Any]) -> Check:
    errors = [f"{m}: {r['error']}" for m, r in found["imports"].items() if "error" in r]
    if errors:
        detail = f"{errors[0]}\n{advise(errors[0])}".strip()
        return Check(role, "weft's modules", "mend", detail)
    seconds = sum(r["seconds"] for r in found["imports"].values())
    level: Level = "look" if seconds > SLOW_IMPORT_S else "ok"
    slow = "; put the environment on a faster file system" if level == "look" else ""
    return Check(role, "weft's modules", level, f"imported in {seconds:.1f} s{slow}")


def _packages(role: str, found: dict[str, Any]) -> Check:
    theirs = found["packages"]
    missing = [name for name, number in theirs.items() if not number]
    if missing:
        detail = f"not installed on the worker: {', '.join(missing)}"
        return Check(role, "packages", "mend", detail)
    other = [f"{n} {v} (here {_here(n)})" for n, v in theirs.items() if v != _here(n)]
    if other:
        detail = f"other versions than here: {', '.join(other)}"
        return Check(role, "packages", "look", detail)
    detail = ", ".join(f"{name} {number}" for name, number in theirs.items())
    return Check(role, "packages", "ok", detail)


def _here(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _run_folder(probe: Probe, found: dict[str, Any]) -> Check:
    if found["run_folder"]:
        detail = (
            f"{found['run_folder']}. The worker does not see this folder; start "
            "weft where run folders lie on a file system that nodes share."
        )
        return Check(probe.role, "shared files", "mend", detail)
    if probe.answer_s is None:
        detail = "the worker reads our file, but we do not see the file it wrote"
        return Check(probe.role, "shared files", "mend", detail)
    late = f", {probe.answer_s:.0f} s late" if probe.answer_s > 1 else ""
    return Check(probe.role, "shared files", "ok", f"seen both ways{late}")


def _writes(role: str, what: str, result: dict[str, Any]) -> Check:
    if "error" in result:
        detail = f"{result['error']}\n{advise(result['error'])}".strip()
        return Check(role, what, "mend", detail)
    level: Level = "look" if result["free_gib"] < FREE_LOOK_GIB else "ok"
    detail = f"{result['free_gib']:g} GiB free, {result['folder']}"
    return Check(role, what, level, detail)


def _clock(probe: Probe) -> Check:
    if probe.clock_s is None:
        return Check(probe.role, "clock", "look", "the block ended before it was asked")
    off, error = probe.clock_s, probe.clock_error_s
    detail = f"{off:+.3f} s from this host's (within {error:.3f} s)"
    if abs(off) - error > CLOCK_MEND_S:
        detail += "; ask the site's support to set it"
        return Check(probe.role, "clock", "mend", detail)
    level: Level = "look" if abs(off) - error > CLOCK_LOOK_S else "ok"
    return Check(probe.role, "clock", level, detail)


def _cores(role: str, found: dict[str, Any], executor: ExecutorConfig) -> Check:
    have, threads = found["cores"], found["threads"]
    detail = f"{have} usable, {threads or 'no limit of'} threads per worker"
    if have < executor.cores_per_worker:
        detail += (
            f"; cores_per_worker is {executor.cores_per_worker}: raise cores_per_node, "
            "or see what the launcher binds to"
        )
        return Check(role, "cores", "mend", detail)
    if threads != str(executor.cores_per_worker):
        detail += f"; cores_per_worker is {executor.cores_per_worker}"
        return Check(role, "cores", "look", detail)
    return Check(role, "cores", "ok", detail)


def _gpu(role: str, found: dict[str, Any], executor: ExecutorConfig) -> Iterator[Check]:
    visible = ", ".join(f"{k}={v}" for k, v in found["visible"].items())
    one = len(found["visible"]) > 0 and all(
        "," not in value for value in found["visible"].values()
    )
    detail = visible or "no variable names a GPU"
    yield Check(role, "GPU pinned", "ok" if one else "mend", detail)
    gpus = found["gpus"]
    if "error" in gpus:
        yield Check(role, "GPU in torch", "mend", gpus["error"])
    elif gpus["torch"]:
        yield Check(role, "GPU in torch", "ok", ", ".join(gpus["torch"]))
    else:
        detail = (
            f"torch sees none (its build: {gpus['build']}); it would run on the CPU. "
            f"Install torch's {executor.accelerator} build on the nodes"
        )
        yield Check(role, "GPU in torch", "look", detail)
    platforms = gpus.get("openmm", [])
    fast = [name for name in platforms if name in ("CUDA", "HIP", "OpenCL")]
    level: Level = "ok" if fast else "look"
    detail = ", ".join(platforms) or gpus.get("openmm_error", "no platform")
    if not fast:
        detail += "; MD would run on the CPU"
    yield Check(role, "OpenMM", level, detail)
