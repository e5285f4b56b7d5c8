"""Core and GPU hours of a run: what tasks used, and what its workers held."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError

from campaign.watching.blocks import list_blocks
from campaign.watching.timeline import Interval, Task
from site_configs.schema import Site

HOUR_S = 3600.0


class Share(NamedTuple):
    """What one worker has of its node."""

    cores: float
    gpus: float


class Shares:
    """What a worker of each role and each executor of a site has."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def pool_of(self, role: str) -> str | None:
        """Return the executor whose workers serve ``role``, None if none does."""
        return self._site.executor_of(role)

    def of_role(self, role: str) -> Share | None:
        """Return the share of a worker of ``role``, None if the site does not say."""
        executor = self._site.executors.get(self.pool_of(role) or "")
        if executor is None:
            return None
        gpus = 1.0 / executor.workers_per_gpu if executor.gpus_per_node else 0.0
        return Share(float(executor.cores_per_worker), gpus)


def read_shares(path: Path) -> Shares | None:
    """Return the shares that a run's site.yaml gives; None where it does not say.

    A Python site keeps its workers to itself.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        site = Site.model_validate({"name": path.stem, **raw})
    except (OSError, TypeError, yaml.YAMLError, ValidationError):
        return None
    return Shares(site) if site.executors else None


def add_hours(
    shares: Shares,
    tasks: Iterable[Task],
    running: Iterable[dict[str, Any]],
    events: Sequence[dict[str, Any]],
    starts: Sequence[Interval],
    now: float,
) -> dict[str, float | None]:
    """Return core and GPU hours that task bodies used, and that workers were held for.

    Parameters
    ----------
    running
        Tasks that run now, each with role and since.
    events
        What drivers noted of their blocks; without any, held is None.
    starts
        When each driver lived; a block ends with its driver at the latest.
    """
    core = gpu = 0.0
    spent: dict[str, float] = {}
    for task in tasks:
        spent[task.role] = spent.get(task.role, 0.0) + task.ended - task.started
    for open_ in running:
        role = str(open_["role"])
        spent[role] = spent.get(role, 0.0) + max(0.0, now - open_["since"])
    for role, seconds in spent.items():
        share = shares.of_role(role)
        if share:
            core += seconds * share.cores
            gpu += seconds * share.gpus
    held = _held(shares, events, starts)
    return {
        "core": core / HOUR_S,
        "gpu": gpu / HOUR_S,
        "core_held": held.cores / HOUR_S if held else None,
        "gpu_held": held.gpus / HOUR_S if held else None,
    }


def _held(
    shares: Shares, events: Sequence[dict[str, Any]], starts: Sequence[Interval]
) -> Share | None:
    if not any(e["event"] == "block" for e in events):
        return None
    cores = gpus = 0.0
    for block in list_blocks(events, starts):
        share = shares.of_role(block.executor)  # an executor's name is a role
        if share:
            held = sum((s.end - s.begin) * s.workers for s in block.stretches)
            cores += held * share.cores
            gpus += held * share.gpus
    return Share(cores, gpus)
