"""What was expected of a run, kept beside it, and how it compares as it goes on."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from apps.science.disk import free_bytes, say_bytes
from apps.science.files import write_json
from campaign.campaign_type import load_type
from campaign.config import CampaignConfig, dump_campaign
from campaign.declared import Stages, we_folder
from campaign.estimate.work import Work, as_json, from_json, total_bytes
from campaign.layout import RunDir
from campaign.opening.told import read_stages
from campaign.report.kit.json_files import read_json
from campaign.watching.last_iteration import count_segments

PROBES = ".probes"


def list_work(config: CampaignConfig) -> list[Work]:
    """Return what the stages of a campaign do; nothing where its type does not count.

    Raises
    ------
    StructureError
        If a structure cannot be read.
    """
    campaign_type = load_type(config.type)
    if campaign_type.list_work is None:
        return []
    declared = Stages(campaign_type.stages(config))
    works = campaign_type.list_work(config)
    return [replace(work, kind=declared[work.stage].kind) for work in works]


def keep_probe(
    runs: Path, config: CampaignConfig, site: str, expected_s: dict[str, float]
) -> Path:
    """Keep what a probe found, for the run that may follow."""
    path = runs / PROBES / f"{config.name}.json"
    body = {"of": _identify(config, site), "expected_s": expected_s}
    return write_json(path, body)


def write_estimate(
    paths: RunDir, config: CampaignConfig, runs: Path, site: str
) -> None:
    """Write estimate.json: what is to be done, and the times a probe found, if any."""
    probe = read_json(runs / PROBES / f"{config.name}.json") or {}
    known = probe.get("of") == _identify(config, site)
    body = {
        "work": as_json(list_work(config)),
        "expected_s": probe.get("expected_s", {}) if known else {},
    }
    write_json(paths.estimate, body)


def say_too_little(paths: RunDir) -> str:
    """Return a warning where the disk has less room than a run may need, else ""."""
    works = from_json((read_json(paths.estimate) or {}).get("work") or [])
    try:
        free = free_bytes(paths.root)
    except OSError:
        return ""
    needed = total_bytes(works)
    if needed <= free:
        return ""
    return (
        f"The run may need {say_bytes(needed)}, and {say_bytes(free)} are free. Should "
        "the disk be full, it ends and says so, and can be resumed with room again."
    )


def compare(paths: RunDir, stages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return, for the stages that have begun, what was expected and what is seen.

    Each has ``stage`` and ``expected_s`` or None; a WE stage also ``n_segments`` and
    ``n_bytes`` as they will be at the present pace, beside ``most_segments`` and
    ``most_bytes``.
    """
    kept = read_json(paths.estimate) or {}
    works = {work.stage: work for work in from_json(kept.get("work") or [])}
    expected = kept.get("expected_s") or {}
    declared = read_stages(paths)
    found = []
    for stage in stages:
        work = works.get(stage["name"])
        if work is None or stage["state"] == "waiting":
            continue
        one: dict[str, Any] = {
            "stage": work.stage, "expected_s": expected.get(work.stage),
            "n_segments": None, "most_segments": None, "n_bytes": None,
            "most_bytes": work.n_bytes,
        }  # fmt: skip
        iteration = stage.get("iteration")
        folder = we_folder(paths, declared[work.stage])
        if work.unit == "segments" and iteration and folder is not None:
            n_iterations = work.amount / work.side_by_side
            share = iteration["n_iter"] / n_iterations
            one["n_segments"] = round(count_segments(folder) / share)
            one["most_segments"] = round(work.amount)
            one["n_bytes"] = round(work.n_bytes * one["n_segments"] / work.amount)
        found.append(one)
    return found


def _identify(config: CampaignConfig, site: str) -> str:
    text = json.dumps([dump_campaign(config), site])
    return hashlib.sha256(text.encode()).hexdigest()
