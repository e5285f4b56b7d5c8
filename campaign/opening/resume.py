"""Open a run folder that is to go on: what it asks for, and what has changed since."""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from apps.science import plugins
from apps.science.errors import ConfigError
from apps.science.files import write_json, write_text
from apps.science.input_files import InputFiles
from apps.science.strict_yaml import load_yaml
from campaign import config as campaign_config
from campaign.campaign_type import CampaignType, load_type
from campaign.config import CampaignConfig
from campaign.declared import Stages, list_kept
from campaign.layout.run_dir import RunDir
from campaign.ledger import Ledger
from campaign.opening import inputs
from campaign.opening.aside import ASIDE, set_aside
from campaign.opening.environment import describe_environment
from campaign.opening.outdated import AS_USUAL, Outdated
from campaign.opening.run_folder import check_is_run
from campaign.opening.settings_change import Standing, find_standing, list_changes
from campaign.opening.versions import compare_versions
from campaign.telling.own_command import as_typed
from site_configs.load import load_site
from site_configs.paths import check_run_path

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Allowed:
    """What a person allows that would be refused otherwise."""

    other_versions: bool = False
    outdated: Outdated = AS_USUAL

    @classmethod
    def of(cls, options: Sequence[str]) -> "Allowed":
        """Return what options of ``weft resume`` allow."""
        outdated = Outdated("--again" in options, "--keep" in options)
        return cls("--other-versions" in options, outdated)


NOTHING: Final = Allowed()


@dataclass
class Opened:
    """A run that can go on.

    Attributes
    ----------
    said : what a person should know, a sentence each
    """

    paths: RunDir
    config: CampaignConfig
    allowed: Allowed
    said: list[str] = field(default_factory=list)
    _todo: list[Callable[[Ledger], None]] = field(default_factory=list)

    def settle(self) -> None:
        """Note in the run folder what has changed; the driver's lock must be held."""
        ledger = Ledger(self.paths.ledger)
        for sentence in self.said:
            log.warning("%s", sentence)
        while self._todo:
            self._todo.pop(0)(ledger)


def open_campaign(run_dir: Path, allowed: Allowed = NOTHING) -> Opened:
    """Check that a run folder can be continued; only lost copies are made again.

    Raises
    ------
    ConfigError
        If it is no run folder, a file of it that is needed cannot be read, a setting
        was changed that finished stages depend on, or versions differ that decide the
        figures of what is left.
    """
    paths = RunDir(run_dir.absolute())
    if not (paths.campaign.exists() and paths.ledger.exists()):
        check_is_run(run_dir, paths.resolved)
    ledger = Ledger(paths.ledger)
    environment, said = _read_environment(paths)
    said += _check_inputs(paths, ledger)
    config, _, more = _read_config(paths, environment)
    run = Opened(paths, config, allowed, [*said, *more])
    campaign_type = load_type(config.type)
    stages = campaign_type.stages(config)
    begun = any(entry.event == "started" for entry in ledger.entries())
    left = not all(ledger.is_done(stage.name) for stage in stages)
    _compare_settings(run, campaign_type, ledger, environment)
    _compare_environment(run, environment, decisive=begun and left)
    check_run_path(load_site(str(paths.site)), paths.root)
    return run


def _read_environment(paths: RunDir) -> tuple[dict[str, Any], list[str]]:
    """Return environment.json, {} where it is gone, and what is to be said of that."""
    shown = as_typed(paths.environment)
    if not paths.environment.exists():
        return {}, [
            f"{shown} is gone: whether versions have changed since the run began "
            "cannot be told. It is written anew."
        ]
    try:
        found = json.loads(paths.environment.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{shown} cannot be read ({error}). Move it away and resume: it is "
            "written anew; only whether versions have changed cannot be told then."
        ) from None
    if not isinstance(found, dict):
        raise ConfigError(
            f"{shown} holds no names with values. Move it away and resume: it is "
            "written anew."
        )
    return found, []


def _read_config(
    paths: RunDir, environment: dict[str, Any]
) -> tuple[CampaignConfig, InputFiles, list[str]]:
    """Parse campaign.yaml as if it lay where it came from; else resolved.yaml."""
    copies = inputs.list_copies(paths, inputs.read_inputs(paths))
    said: list[str] = []
    if paths.campaign.exists():
        came_from = Path(str(environment.get("campaign_source") or paths.campaign))
        files = InputFiles(came_from.parent, copies)
        read = paths.campaign
    else:
        said.append(
            f"{as_typed(paths.campaign)} is gone; the run goes on from resolved.yaml, "
            "which holds the same settings with every default."
        )
        files = InputFiles(paths.root, copies)
        read = paths.resolved
    try:
        raw = load_yaml(read)
    except ConfigError as error:
        other = (
            f"{error} Mend it, or move it away and resume: resolved.yaml beside it "
            "holds the same settings."
        )
        raise ConfigError(other if read == paths.campaign else str(error)) from None
    if not isinstance(raw, dict):
        raise ConfigError(
            f"{as_typed(read)} holds no names with values. Mend it, or move it away "
            "and resume: resolved.yaml beside it holds the same settings."
        )
    config = campaign_config.parse_campaign(raw, read, files)
    if config.name != paths.name and not environment:
        log.info("the run folder of %s is called %s", config.name, paths.name)
    return config, files, said


def _check_inputs(paths: RunDir, ledger: Ledger) -> list[str]:
    """Check the input files, and copy again what was lost of them."""
    names = next((e.stages for e in reversed(ledger.entries()) if e.stages), [])
    needed = not (names and ledger.was_done(names[0]))
    known = inputs.read_inputs(paths)
    said, lost = inputs.check_inputs(paths, known, needed=needed)
    inputs.restore_copies(paths, lost)
    return said


def _copy_new_inputs(paths: RunDir, environment: dict[str, Any]) -> CampaignConfig:
    """Copy files that only a changed setting names; return what then is asked for."""
    config, files, _ = _read_config(paths, environment)
    there = {name: path for name, path in files.named.items() if path.is_file()}
    known = inputs.read_inputs(paths)
    most = config.copy_inputs_mb * 1e6
    if not inputs.copy_inputs(paths, there, most, known, files.in_folders):
        return config
    return _read_config(paths, environment)[0]


def _compare_settings(
    run: Opened,
    campaign_type: CampaignType,
    ledger: Ledger,
    environment: dict[str, Any],
) -> None:
    paths, config = run.paths, run.config
    if not paths.resolved.exists():
        run.said.append(
            f"{as_typed(paths.resolved)} is gone and is written anew from "
            "campaign.yaml. Stages whose line in ledger.jsonl tells of other settings "
            "run again."
        )
        run._todo.append(lambda ledger: _write_resolved(paths, config))
        return
    was = _read_resolved(paths)
    difference = campaign_config.describe_difference(was, config, paths.root)
    if not difference:
        return
    old, new = campaign_config.find_differing(was, config, paths.root)
    changes = list_changes(old, new)
    stages = _stages_of(was, paths) | Stages(campaign_type.stages(config))
    standing = find_standing(
        campaign_type.READ_BY, changes, stages.values(), paths, ledger
    )
    if "type" in changes or "name" in changes:
        raise ConfigError(
            f"{as_typed(paths.campaign)} asks for another name or type than the run "
            f"began with. Undo that, or run it anew.\n{difference}"
        )
    against = [*standing.done, *standing.begun]
    if against and not run.allowed.outdated.again:
        raise ConfigError(_refuse_settings(paths, standing, difference))
    what = f"changed settings were taken: {', '.join(changes)}"
    run.said.append(
        f"{what[0].upper()}{what[1:]}. The settings of before are kept as "
        f"{_next_free(paths.resolved).name}."
    )

    def take(ledger: Ledger) -> None:
        for stage in [*against, *standing.empty]:
            kept = list_kept(paths, stages[stage])
            made = [*kept, *ledger.list_outputs(stage)]
            folder = set_aside(paths.root, made, stage)
            said = f"it began anew with other settings; what it had made is in {folder}"
            ledger.append("again", stage, message=f"{stage}: {said}")
        _keep_numbered(paths.resolved)
        run.config = _copy_new_inputs(paths, environment)
        _write_resolved(paths, run.config)
        ledger.append("settings", message=what)

    run._todo.append(take)


def touches_nothing_done(paths: RunDir, was: str, config: CampaignConfig) -> bool:
    """Tell whether a run could go on with a campaign other than it ``was``."""
    old, new = campaign_config.find_differing(was, config, paths.root)
    changes = list_changes(old, new)
    campaign_type = load_type(config.type)
    stages = _stages_of(was, paths) | Stages(campaign_type.stages(config))
    standing = find_standing(
        campaign_type.READ_BY, changes, stages.values(), paths, Ledger(paths.ledger)
    )
    fixed = {"name", "type"} & set(changes)
    return not (standing.done or standing.begun or fixed)


def _refuse_settings(paths: RunDir, standing: Standing, difference: str) -> str:
    shown = as_typed(paths.root)
    against = []
    if standing.done:
        against.append(
            f"finished with the settings as they were: {_list(standing.done)}"
        )
    if standing.begun:
        against.append(f"begun with the settings as they were: {_list(standing.begun)}")
    return (
        f"{as_typed(paths.campaign)} was changed since the run began; what is done "
        f"would no longer fit what is asked ({'; '.join(against)}). Choose one:\n"
        f"  Undo the change: weft resume {shown}\n"
        "  Give the campaign another name, and run it anew.\n"
        f"  Make again what depends on it; what is there is moved to {ASIDE}/: "
        f"weft resume {shown} --again\n"
        f"The difference:\n{difference}"
    )


def _read_resolved(paths: RunDir) -> str:
    try:
        found = load_yaml(paths.resolved)
        text = paths.resolved.read_text(encoding="utf-8")
    except ConfigError as error:
        raise ConfigError(
            f"{error} Move it away and resume: it is written anew from campaign.yaml."
        ) from None
    if not isinstance(found, dict):
        raise ConfigError(
            f"{as_typed(paths.resolved)} holds no names with values. Move it away and "
            "resume: it is written anew from campaign.yaml."
        )
    return text


def _stages_of(resolved: str, paths: RunDir) -> Stages:
    """Return the stages of the campaign as it was; none where it no longer parses."""
    copies = inputs.list_copies(paths, inputs.read_inputs(paths))
    with plugins.staying_with_folder():
        try:
            was = campaign_config.parse_campaign(
                yaml.safe_load(resolved), paths.resolved, InputFiles(paths.root, copies)
            )
            return Stages(load_type(was.type).stages(was))
        except ConfigError:
            return Stages()


def _compare_environment(run: Opened, was: dict[str, Any], *, decisive: bool) -> None:
    paths = run.paths
    source = Path(str(was.get("campaign_source") or paths.campaign))
    now = describe_environment(str(was.get("site") or paths.site), source)
    versions = compare_versions(was, now)
    if versions.decisive and decisive and not run.allowed.other_versions:
        raise ConfigError(
            f"The run was begun with other versions: {'; '.join(versions.decisive)}. "
            "What is left would not come out as with those, and what is done was made "
            "with them. Go on with the versions of before (environment.json), or allow "
            f"these, which the report will say: weft resume {as_typed(paths.root)} "
            "--other-versions"
        )
    found = [*versions.decisive, *versions.others]
    if was and not found:
        return
    kept = {key: was[key] for key in ("started", "campaign_source") if key in was}

    def take(ledger: Ledger) -> None:
        if was:
            _keep_numbered(paths.environment)
        write_json(paths.environment, now | kept)
        if found:
            ledger.append("versions", message=f"other versions: {'; '.join(found)}")

    if found:
        run.said.append(f"Other versions than the run was begun with: {_list(found)}.")
    run._todo.append(take)


def _write_resolved(paths: RunDir, config: CampaignConfig) -> None:
    write_text(paths.resolved, campaign_config.dump_campaign(config, paths.root))


def _keep_numbered(path: Path) -> None:
    """Give a file that is written anew a number: resolved.1.yaml."""
    path.rename(_next_free(path))


def _next_free(path: Path) -> Path:
    number = 1
    while (found := path.with_name(f"{path.stem}.{number}{path.suffix}")).exists():
        number += 1
    return found


def _list(names: list[str]) -> str:
    return ", ".join(names)
