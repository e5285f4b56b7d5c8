"""Where plug-ins lie: in weft itself, behind entry points, in a folder that was named.

A folder of plug-ins has folders as weft has: propagators/, pcoords/, models/, metrics/,
tasks/, types/, sites/. A package says in its metadata, under a group such as
``weft.models``, which of its modules is which kind.
"""

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

from apps.science.errors import PluginError

GROUPS: Final = (
    "propagators", "pcoords", "models", "metrics", "tasks", "types", "sites",
)  # fmt: skip
USUAL_FAMILY: Final = {"models": "potentials", "metrics": "conformations"}
"""Of what lies straight in the folder of a group that has families."""

_INNER: Final = {"tasks": "task.py", "types": "type.py"}
"""What a kind that is a folder has in it."""
MOST_MB: Final = 100
_SITES: Final = "site_configs"
_NO_KINDS: Final = {"base", "network", "distribution"}
"""What a family of weft's gives its kinds to build on."""


class Shelf(NamedTuple):
    """What kinds are looked for on: a group, and a family where it has such."""

    group: str
    family: str | None = None

    def __str__(self) -> str:
        """Return it as it is told."""
        return f"{self.group} ({self.family})" if self.family else self.group


@dataclass(frozen=True)
class Place:
    """One kind, and where it is.

    Attributes
    ----------
    said : where, in words
    module : what to import; empty for a site
    file : of a site, or of what lies in a folder
    """

    kind: str
    said: str
    module: str = ""
    file: Path | None = None
    is_own: bool = False
    """Whether it came with weft."""


def read_shelf(package: str) -> Shelf:
    """Return the shelf of a package of weft's, such as ``apps.science.pcoords``."""
    if package == _SITES:
        return Shelf("sites")
    group, _, family = package.split(".", package.count("apps.") + 1)[-1].partition(".")
    return Shelf(group, family or None)


def list_own(package: str) -> Iterator[Place]:
    """Yield what came with weft."""
    found = importlib.import_module(package)
    if package == _SITES:
        for path in Path(found.__path__[0]).glob("*.yaml"):
            yield Place(path.stem, str(path), file=path, is_own=True)
        return
    for info in pkgutil.iter_modules(found.__path__):
        if _may_be_kind(info.name) and info.name not in _NO_KINDS:
            said = f"{package.replace('.', '/')}/{info.name} of weft"
            yield Place(info.name, said, f"{package}.{info.name}", is_own=True)


def list_entry_points(shelf: Shelf) -> Iterator[Place]:
    """Yield what installed packages add; of another family as ``<family>.<kind>``."""
    for point in _entry_points(f"weft.{shelf.group}"):
        family, _, kind = point.name.rpartition(".")
        if (family or USUAL_FAMILY.get(shelf.group)) != shelf.family:
            continue
        whose = f"{point.dist.name} {point.dist.version}" if point.dist else "a package"
        said = f"the entry point {point.name} = {point.value} of {whose}"
        yield Place(kind, said, point.module)


@cache
def _entry_points(group: str) -> list[metadata.EntryPoint]:
    return list(metadata.entry_points(group=group))


def list_distributions() -> dict[str, str]:
    """Return the versions of the installed packages that add kinds."""
    found = [one.dist for group in GROUPS for one in _entry_points(f"weft.{group}")]
    return {dist.name: dist.version for dist in found if dist is not None}


def list_in_folder(folder: Path, shelf: Shelf) -> Iterator[Place]:
    """Yield what lies in a folder of plug-ins."""
    group = folder / shelf.group
    if shelf.family in (None, USUAL_FAMILY.get(shelf.group)):
        yield from _list_files(folder, group, shelf)
    if shelf.family is not None:
        yield from _list_files(folder, group / shelf.family, shelf)


def _list_files(folder: Path, where: Path, shelf: Shelf) -> Iterator[Place]:
    package = ".".join([_name_package(folder), *where.relative_to(folder).parts])
    endings = {".yaml", ".py"} if shelf.group == "sites" else {".py"}
    inner = {"__init__.py", _INNER.get(shelf.group, "__init__.py")}
    for path in sorted(where.iterdir()) if where.is_dir() else ():
        is_package = path.is_dir() and any((path / name).is_file() for name in inner)
        is_family = where.name == shelf.group and path.name in _families(shelf.group)
        if is_family or not _may_be_kind(path.stem):
            continue
        if shelf.group == "sites":
            # site.py beside site.yaml is what that names
            beside = path.suffix == ".py" and path.with_suffix(".yaml").is_file()
            if path.suffix in endings and not beside:
                yield Place(path.stem, str(path), file=path)
        elif is_package or path.suffix in endings:
            yield Place(path.stem, str(path), f"{package}.{path.stem}", path)


def _may_be_kind(name: str) -> bool:
    return name != "base" and not name.startswith(("_", "."))


def _families(group: str) -> set[str]:
    """Return the families of a group; none of most."""
    if group not in USUAL_FAMILY:
        return set()
    found = importlib.import_module(f"apps.science.{group}")
    return {one.name for one in pkgutil.iter_modules(found.__path__) if one.ispkg}


def list_shelves(group: str) -> list[Shelf]:
    """Return the shelves of a group, one for each family where it has such."""
    return [Shelf(group, one) for one in sorted(_families(group))] or [Shelf(group)]


def name_shelf(shelf: Shelf) -> str:
    """Return the package of weft's that holds a shelf; see ``read_shelf``."""
    if shelf.group == "sites":
        return _SITES
    above = "campaign" if shelf.group == "types" else "apps.science"
    return ".".join([above, shelf.group, *([shelf.family] if shelf.family else [])])


def enter_folder(folder: Path) -> None:
    """Let the modules of a folder be imported, by a package name of its own.

    So files in it import each other with a dot (``from ._shared import x``), and those
    of two folders never mix.
    """
    name = _name_package(folder)
    if name not in sys.modules:
        package = ModuleType(name, "Plug-ins from outside weft.")
        package.__path__ = [str(folder)]
        sys.modules[name] = package


def _name_package(folder: Path) -> str:
    return f"weft_plugins_{sha256(str(folder).encode()).hexdigest()[:12]}"


def list_files(folder: Path) -> list[Path]:
    """Return the files of a folder of plug-ins, relative to it, in order.

    Those of its groups, and modules beside them; nothing hidden, nothing compiled.

    Raises
    ------
    PluginError
        If it is no folder, or too large to be copied into every run folder.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise PluginError(
            f"plugins: {folder} {what}. Name the folder that has {', '.join(GROUPS)} "
            "in it, each with one file per kind; or leave the key out."
        )
    found = [path for path in folder.glob("*.py") if path.is_file()]
    for group in GROUPS:
        found += [path for path in (folder / group).rglob("*") if path.is_file()]
    kept = sorted(
        path
        for path in (one.relative_to(folder) for one in found)
        if not any(p.startswith(".") or p == "__pycache__" for p in path.parts)
    )
    if sum((folder / path).stat().st_size for path in kept) > MOST_MB * 1_000_000:
        raise PluginError(
            f"plugins: {folder} holds more than {MOST_MB} MB in the folders of its "
            "plug-ins, which every run folder keeps a copy of. Put data elsewhere, "
            "and name them in campaign.yaml."
        )
    return kept
