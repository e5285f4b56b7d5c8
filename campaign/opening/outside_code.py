"""Code that a campaign brings along: found with its run, said before it runs."""

from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from apps.science import plugins
from apps.science.errors import ConfigError, RunLockedError
from apps.science.input_files import InputFiles
from apps.science.plugin_places import list_files
from apps.science.strict_yaml import load_yaml
from campaign.layout.run_dir import RunDir
from campaign.ledger import Ledger
from campaign.opening.inputs import renew_plugins
from campaign.opening.run_folder import check_is_run
from campaign.telling.own_command import as_typed

_MOST_NAMED: Final = 8


def say_code() -> list[str]:
    """Return a sentence on the folder of plug-ins in use; none where there is none."""
    folder = plugins.folder_in_use()
    if folder is None:
        return []
    names = [str(path) for path in list_files(folder) if path.suffix == ".py"]
    listed = ", ".join(names[:_MOST_NAMED]) or "site files alone"
    more = len(names) - _MOST_NAMED
    left = f" and {more} more" if more > 0 else ""
    return [
        "This campaign brings code that is not weft's and runs with your rights: "
        f"{as_typed(folder)} ({listed}{left})."
    ]


def use_code_for(source: Path) -> list[str]:
    """Use the plug-ins that a campaign.yaml names; return what to say before they run.

    Raises
    ------
    PluginError
        As ``plugins.use_folder``.
    """
    named = _read_folder(source)
    files = InputFiles(source.absolute().parent)
    plugins.use_folder(files.find_folder(Path(named)) if named else None)
    return say_code()


def use_code_of(path: Path) -> list[str]:
    """Use the plug-ins of the run that ``path`` is, or lies in; return what to say.

    Where it is of no run, or of one without, those of WEFT_PLUGINS stay in use.

    Raises
    ------
    ConfigError
        If they are gone.
    """
    for folder in (path.absolute(), *path.absolute().parents):
        resolved = folder / "resolved.yaml"
        if resolved.is_file():
            found = _read_folder(resolved)
            if found is not None:
                plugins.use_folder(folder / found)
            break
    return say_code()


def renew_code(run_dir: Path) -> list[str]:
    """Copy a run's plug-ins again, as they are now; return what to say of it.

    What is done stays done; the ledger notes which files are others.

    Raises
    ------
    ConfigError
        If it is no run folder, or one without plug-ins.
    RunLockedError
        If a driver works on it, whose workers read the copy.
    """
    paths = RunDir(run_dir.absolute())
    check_is_run(run_dir, paths.resolved, paths.ledger)
    found = _read_folder(paths.resolved)
    if found is None:
        raise ConfigError(
            f"{as_typed(run_dir)} has no folder of plug-ins to take anew. Leave "
            "--new-plugins out."
        )
    try:
        with FileLock(paths.lock, timeout=0, fallback_to_soft=False):
            names = renew_plugins(paths, paths.root / found)
            if not names:
                return ["The plug-ins are as they were."]
            said = f"plug-ins were taken anew: {', '.join(names)}"
            Ledger(paths.ledger).append("versions", message=said)
    except Timeout:
        raise RunLockedError(
            f"A driver works on {as_typed(run_dir)}, whose workers read its plug-ins. "
            f"Stop it first: weft stop {as_typed(run_dir)}"
        ) from None
    return [f"{said[0].upper()}{said[1:]}. What is done stays as it is."]


def _read_folder(source: Path) -> str | None:
    try:
        asked = load_yaml(source)
    except ConfigError:
        return None  # whoever reads more of it says what is wrong
    found = asked.get("plugins") if isinstance(asked, dict) else None
    return found if isinstance(found, str) else None
