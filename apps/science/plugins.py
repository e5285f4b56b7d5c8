"""Find plug-ins by file name: the stem of the file is the kind a person types."""

import importlib
import pkgutil
from types import ModuleType

from apps.science.errors import UnknownKindError

_NOT_PLUGINS = {"base"}


def list_kinds(package: str) -> list[str]:
    """Return the kinds in ``package`` (such as ``apps.science.models``), sorted."""
    found = importlib.import_module(package)
    names = (info.name for info in pkgutil.iter_modules(found.__path__))
    return sorted(n for n in names if n not in _NOT_PLUGINS and not n.startswith("_"))


def load_kind(package: str, kind: str) -> ModuleType:
    """Import the plug-in ``kind``.

    Raises
    ------
    UnknownKindError
        If no file of that name exists; the message lists those that do.
    """
    kinds = list_kinds(package)
    if kind not in kinds:
        what = package.rsplit(".", 1)[-1]
        raise UnknownKindError(
            f"Unknown kind {kind!r} in {what}: the kinds that exist are "
            f"{', '.join(kinds)}. Choose one, or add {kind}.py to "
            f"{package.replace('.', '/')}/."
        )
    return importlib.import_module(f"{package}.{kind}")
