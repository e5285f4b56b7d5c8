"""What was expected of a run, kept beside it, and how it compares as it goes on."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from apps.science.disk import free_bytes, say_bytes
from apps.science.files import read_json, write_json
from campaign.campaign_type import load_type
from campaign.config import CampaignConfig, dump_campaign
from campaign.declared import Stages
from campaign.estimate.work import Work, as_json, from_json, total_bytes
from campaign.layout.run_dir import RunDir

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


def _identify(config: CampaignConfig, site: str) -> str:
    text = json.dumps([dump_campaign(config), site])
    return hashlib.sha256(text.encode()).hexdigest()
