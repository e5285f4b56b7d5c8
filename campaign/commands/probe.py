"""``weft validate --probe``: the campaign itself in miniature, on the site, timed.

What a stage of the miniature took, over what it did, is the time of a unit of its work
there, with everything that a task costs.
"""

import logging
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from apps.science import plugins
from apps.science.errors import ConfigError, WeftError
from campaign.campaign_type import CampaignType, load_type
from campaign.config import CampaignConfig
from campaign.declared import Stage, we_folder
from campaign.estimate.work import MINUTES
from campaign.layout.run_dir import RunDir
from campaign.opening.told import read_stages
from campaign.watching.last_iteration import read_summary

log = logging.getLogger(__name__)

PROBE_NAME = "probe"
MOST_VARIANTS = 3


@dataclass(frozen=True)
class Rates:
    """Seconds of one worker per unit of work, by kind of stage.

    Attributes
    ----------
    failure : what the miniature ended with; empty where it ran whole
    """

    seconds: dict[str, float]
    failure: str = ""


def probe_campaign(
    config: CampaignConfig,
    site: str,
    runs: Path,
    watch: Callable[[RunDir], Any],
) -> Rates:
    """Run the miniature of a campaign on a site; return what its stages cost.

    Its run folder lies hidden in ``runs``, and is removed.

    Raises
    ------
    ConfigError
        If the type has no miniature.
    """
    from campaign.opening.resume import open_campaign
    from campaign.opening.start import start_campaign
    from campaign.run import run_campaign

    campaign_type = load_type(config.type)
    if campaign_type.shrink is None:
        raise ConfigError(
            f"Campaigns of type {config.type} have no probe. Leave --probe out."
        )
    now = time.strftime("%Y%m%d-%H%M%S")
    folder = (runs / f".probe-{config.name}-{now}").absolute()
    folder.mkdir(parents=True)
    try:
        source = folder / "campaign.yaml"
        source.write_text(
            yaml.safe_dump(make_miniature(config, campaign_type), sort_keys=False),
            encoding="utf-8",
        )
        with plugins.staying_with_folder():  # the miniature's copy goes with it
            paths = start_campaign(source, site, folder)
            failure = ""
            try:
                run_campaign(open_campaign(paths.root), watch)
            except WeftError as error:
                failure = str(error).splitlines()[0]
            return read_rates(paths, failure)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_miniature(
    config: CampaignConfig, campaign_type: CampaignType
) -> dict[str, Any]:
    """Return the settings of the miniature, as campaign.yaml would have them."""
    asked = config.model_dump(mode="json")
    asked["name"] = PROBE_NAME
    shrunk = campaign_type.shrink(config) if campaign_type.shrink else {}
    for section, changes in shrunk.items():
        asked[section] = {**asked[section], **changes}
    if len(getattr(config, "variants", ())) > MOST_VARIANTS:
        del asked["experiments"]
    elif "experiments" in asked:
        asked["experiments"] = _shrink_experiments(asked["experiments"], shrunk)
    return asked


def _shrink_experiments(
    asked: dict[str, Any], shrunk: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the experiments without what would make their models large again."""
    short = {f"{section}.{key}" for section, found in shrunk.items() for key in found}

    def drop(changes: dict[str, Any]) -> dict[str, Any]:
        kept = {
            name: {k: v for k, v in value.items() if f"{name}.{k}" not in short}
            if isinstance(value, dict)
            else value
            for name, value in changes.items()
        }
        return {name: value for name, value in kept.items() if name not in short}

    variants = asked.get("variants")
    if variants is not None:
        variants = {name: drop(changes) for name, changes in variants.items()}
    sweep = {k: v for k, v in asked.get("sweep", {}).items() if k not in short}
    return {**asked, "variants": variants, "sweep": sweep}


def read_rates(paths: RunDir, failure: str = "") -> Rates:
    """Return what the finished stages of a run cost per unit of their work.

    Sampling by its last iteration and training by its last epoch, since what was
    compiled and loaded before them is done once; the others by their tasks.
    """
    from campaign.config import load_campaign
    from campaign.estimate.kept import list_work
    from campaign.ledger import Ledger
    from campaign.watching.timeline import read_tasks

    works, declared = list_work(load_campaign(paths.resolved)), read_stages(paths)
    done = {e.stage for e in Ledger(paths.ledger).entries() if e.event == "done"}
    busy: dict[str, float] = {}
    for task in read_tasks(paths.root):
        took = task.ended - task.started
        busy[task.stage] = busy.get(task.stage, 0.0) + took
    seconds: dict[str, list[float]] = {}
    for work in works:
        if work.stage not in done or work.amount <= 0 or work.unit == MINUTES:
            continue
        stage = declared[work.stage]
        unit = _last_iteration_s(paths, stage) or _last_epoch_s(paths, stage)
        if unit is None and work.stage in busy:
            unit = busy[work.stage] / work.amount
        if unit is not None:
            seconds.setdefault(work.kind, []).append(unit)
    return Rates({k: max(v) for k, v in seconds.items()}, failure)


def _last_iteration_s(paths: RunDir, stage: Stage) -> float | None:
    """Return the seconds of a worker for a segment; None where it is no WE run."""
    folder = we_folder(paths, stage)
    last = None if folder is None else read_summary(folder)
    if not last or not last.get("n_segments") or not last.get("wall_s"):
        return None
    return float(last["wall_s"] * (last.get("n_slots") or 1) / last["n_segments"])


def _last_epoch_s(paths: RunDir, stage: Stage) -> float | None:
    """Return the seconds for a frame that is learnt; None where nothing is trained."""
    import csv

    table = paths.root / (stage.trains or "") / "metrics.csv"
    if not stage.trains or not table.is_file():
        return None
    with table.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    return 1.0 / float(rows[-1]["frames_per_second"]) if rows else None
