"""Questions to Grid Engine that start nothing: queues, environments, a script."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, NamedTuple

from site_configs.checks.explain import explain
from site_configs.errors import SiteError
from site_configs.schema import ExecutorConfig

_SECONDS = 30.0


class Finding(NamedTuple):
    """What is not as an executor asks for it, and whether that must be mended."""

    what: str
    level: Literal["look", "mend"]
    detail: str


def find_faults(executor: ExecutorConfig) -> Iterator[Finding]:
    """Yield what an executor asks of Grid Engine that is not there."""
    queues = _list("-sql")
    if executor.queue and queues:
        # a queue may be asked for by a pattern, and on one host or group of hosts
        asked = [part.partition("@")[0] for part in executor.queue.split(",")]
        missing = [q for q in asked if q and not _among(q, queues)]
        if missing:
            detail = f"there is no queue {', '.join(missing)}; it has "
            yield Finding("queue", "mend", detail + ", ".join(queues))
    yield from _check_environment(executor)


def _check_environment(executor: ExecutorConfig) -> Iterator[Finding]:
    """Check the parallel environment, by which more than one core is granted."""
    found = re.search(r"^#\$.*\s-pe\s+(\S+)", executor.scheduler_options, re.MULTILINE)
    there = _list("-spl")
    names = f" (one of {', '.join(there)})" if there else ""
    if found is None and (executor.cores_per_node or 1) * executor.nodes_per_block > 1:
        yield Finding(
            "parallel environment",
            "look",
            "Grid Engine grants one core unless scheduler_options ask for a parallel "
            f"environment{names}, such as '#$ -pe smp {executor.cores_per_node or 8}'",
        )
    if found is not None and there and not _among(found[1], there):
        yield Finding(
            "parallel environment",
            "mend",
            f"there is no {found[1]}; it has {', '.join(there)}",
        )


def try_script(script: str) -> tuple[Literal["ok", "look", "mend"], str]:
    """Return whether Grid Engine could run a script; its words, and what to do."""
    from site_configs.pools.gridengine_provider import ask_whether_it_can_run

    with tempfile.TemporaryDirectory(prefix="weft-") as folder:
        path = Path(folder) / "script.sh"
        path.write_text(script, encoding="utf-8")
        try:
            never = ask_whether_it_can_run(str(path))
        except SiteError as error:
            return "mend", explain(str(error))
    if never is None:
        return "ok", "qsub -w v takes it"
    if never.certain:
        return "mend", explain(never.said)
    return "look", (
        f"{never.said}\nThat says little: a trial does not look at what hosts measure."
    )


def _among(pattern: str, names: list[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)


def _list(option: str) -> list[str]:
    """Return what qconf lists; empty where there is no qconf, or it has none."""
    if shutil.which("qconf") is None:
        return []
    try:
        done = subprocess.run(
            ["qconf", option],
            capture_output=True, encoding="utf-8", errors="surrogateescape",
            check=False, timeout=_SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.split() if done.returncode == 0 else []
