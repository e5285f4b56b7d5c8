"""Find plug-ins: the name of a file is the kind that a person types.

They lie in weft itself, in installed packages that say so by entry points, and in the
one folder that ``plugins:`` of a campaign.yaml names. A folder is code that runs: none
is ever taken that nobody named. Processes of a run know it by a variable.
"""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Final

from apps.science.errors import PluginError, UnknownKindError, WeftError
from apps.science.plugin_places import (
    GROUPS,
    Place,
    Shelf,
    enter_folder,
    list_entry_points,
    list_files,
    list_in_folder,
    list_own,
    list_shelves,
    name_shelf,
    read_shelf,
)

VARIABLE: Final = "WEFT_PLUGINS"
"""The folder in use, absolute; unset or empty where there is none."""

_NEEDS: Final = {
    "propagators": ("Config", "Propagator"),
    "pcoords": ("Config", "ProgressCoordinate"),
    "models": ("Config", "build"),
    "metrics": ("Metric",),
}
_NAMED: Final = {"propagators", "pcoords", "models"}
"""Groups whose Config says its kind."""


def folder_in_use() -> Path | None:
    """Return the folder of plug-ins that somebody named; None where nobody did."""
    named = os.environ.get(VARIABLE)
    return Path(named).absolute() if named else None


def use_folder(folder: Path | None) -> None:
    """Find plug-ins in ``folder`` from now on, here and in processes begun from here.

    Raises
    ------
    PluginError
        If it does not exist, or has no plug-in; or if a kind, there or of an installed
        package, exists elsewhere too.
    """
    os.environ.pop(VARIABLE, None)
    if folder is not None:
        check_folder(folder.absolute())
    for shelf in _list_shelves():
        places = _find(name_shelf(shelf), folder and folder.absolute())
        for kind in places:
            _choose(places, kind, shelf)
    if folder is not None:
        os.environ[VARIABLE] = str(folder.absolute())


def load_all() -> None:
    """Import each kind of the folder in use, and each metric from outside.

    Metrics are computed at the end of a campaign, all that there are: one that cannot
    be imported is better known before it begins.

    Raises
    ------
    PluginError
        If one cannot be.
    """
    folder = folder_in_use()
    for shelf in _list_shelves():
        inside = [] if folder is None else list(list_in_folder(folder, shelf))
        outside = list(list_entry_points(shelf)) if shelf.group == "metrics" else []
        for place in [*inside, *outside] if shelf.group != "sites" else ():
            load_kind(name_shelf(shelf), place.kind)


@contextmanager
def staying_with_folder() -> Iterator[None]:
    """Let the folder in use be afterwards what it is now, whatever is read within."""
    before = os.environ.get(VARIABLE)
    try:
        yield
    finally:
        os.environ.pop(VARIABLE, None)
        if before is not None:
            os.environ[VARIABLE] = before


def describe_environment() -> dict[str, str]:
    """Return the variable by which other processes find the same plug-ins."""
    return {VARIABLE: str(folder_in_use() or "")}


def check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be used; nothing in it is run.

    Raises
    ------
    PluginError
        As ``use_folder``.
    """
    files, shelves = list_files(folder), _list_shelves()
    if not any(list(list_in_folder(folder, shelf)) for shelf in shelves):
        raise PluginError(
            f"plugins: {folder} has no plug-in. Expected one file per kind in folders "
            f"called {', '.join(GROUPS)}."
        )
    for shelf in shelves:
        if shelf.family is not None:
            _check_families(folder, shelf.group, files)


def _list_shelves() -> list[Shelf]:
    return [shelf for group in GROUPS for shelf in list_shelves(group)]


def _check_families(folder: Path, group: str, files: list[Path]) -> None:
    known = [str(shelf.family) for shelf in list_shelves(group)]
    for path in files:
        if path.parts[0] != group or len(path.parts) < 3 or path.suffix != ".py":
            continue
        is_package = (folder / group / path.parts[1] / "__init__.py").is_file()
        if path.parts[1] not in known and not is_package:
            raise PluginError(
                f"plugins: {folder / path} lies in {group}/{path.parts[1]}/, and "
                f"{group} have no family of that name. Those that exist: "
                f"{', '.join(known)}."
            )


def list_kinds(package: str) -> list[str]:
    """Return the kinds of ``package`` (such as ``apps.science.pcoords``), sorted.

    Raises
    ------
    PluginError
        If one exists twice; the message names both places.
    """
    places = _find(package, folder_in_use())
    for kind in places:
        _choose(places, kind, read_shelf(package))
    return sorted(places)


def find_kind(package: str, kind: str) -> Place:
    """Return where a kind is.

    Raises
    ------
    UnknownKindError
        If it is nowhere; the message lists those that exist.
    PluginError
        If it exists twice.
    """
    shelf, places = read_shelf(package), _find(package, folder_in_use())
    if kind not in places:
        raise UnknownKindError(
            f"Unknown kind {kind!r} in {shelf}: the kinds that exist are "
            f"{', '.join(sorted(places))}. {_say_elsewhere(shelf, kind)}Choose one, or "
            f"add {shelf.group}/{kind}.py to a folder that `plugins:` names in "
            "campaign.yaml."
        )
    return _choose(places, kind, shelf)


def find_file(package: str, kind: str) -> Path:
    """Return the file of what is no module: a site.

    Raises
    ------
    UnknownKindError, PluginError
        As ``find_kind``, or if the package of an entry point does not have it.
    """
    place = find_kind(package, kind)
    if place.file is not None:
        return place.file
    module = _import(place)  # of an entry point: a Python site, or what holds the YAML
    above = [Path(folder) for folder in getattr(module, "__path__", ())]
    files = [folder / f"{kind}.yaml" for folder in above]
    files = files or [Path(str(module.__file__))]
    found = next((path for path in files if path.is_file()), None)
    if found is None:
        raise PluginError(
            f"The plug-in {kind}, {place.said}, has no file {kind}.yaml in it."
        )
    return found


def load_kind(package: str, kind: str) -> ModuleType:
    """Import the plug-in ``kind``.

    Raises
    ------
    UnknownKindError, PluginError
        As ``find_kind``, or if it cannot be imported, or lacks what its kind has to
        have.
    """
    place = find_kind(package, kind)
    if place.is_own:
        return importlib.import_module(place.module)
    module = _import(place)
    _check_module(module, place, read_shelf(package).group)
    return module


def _find(package: str, folder: Path | None) -> dict[str, list[Place]]:
    """Return by kind every place where it is."""
    shelf = read_shelf(package)
    found = [*list_own(package), *list_entry_points(shelf)]
    if folder is not None:
        enter_folder(folder)
        found += list_in_folder(folder, shelf)
    places: dict[str, list[Place]] = {}
    for place in found:
        places.setdefault(place.kind, []).append(place)
    return places


def _choose(places: dict[str, list[Place]], kind: str, shelf: Shelf) -> Place:
    one, *others = places[kind]
    if others:
        raise PluginError(
            f"The kind {kind!r} exists twice in {shelf}: {one.said}, and "
            f"{others[0].said}. Give one of them another name."
        )
    return one


def _say_elsewhere(shelf: Shelf, kind: str) -> str:
    for other in list_shelves(shelf.group):
        if other != shelf and kind in _find(name_shelf(other), folder_in_use()):
            return f"(There is one in {other}, which does not fit here.) "
    return ""


def _import(place: Place) -> ModuleType:
    try:
        return importlib.import_module(place.module)
    except WeftError:
        raise
    except Exception as error:
        raise PluginError(
            f"The plug-in {place.kind}, {place.said}, cannot be imported: "
            f"{type(error).__name__}: {error}. Files of a folder import each other "
            "with a dot: from ._shared import ..."
        ) from error


def _check_module(module: ModuleType, place: Place, group: str) -> None:
    lacking = [name for name in _NEEDS.get(group, ()) if not hasattr(module, name)]
    if lacking:
        raise PluginError(
            f"The plug-in {place.kind}, {place.said}, has no {' and no '.join(lacking)}"
            f". The pages docs/add-a-*.md say what one of {group} has to have."
        )
    if group in _NAMED:
        field = module.Config.model_fields.get("kind")
        if field is None or field.default != place.kind:
            says = "none" if field is None else repr(field.default)
            raise PluginError(
                f"The plug-in {place.kind}, {place.said}: its Config says the kind "
                f"{says}; expected {place.kind!r}, by which it is found."
            )
