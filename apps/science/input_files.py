"""Files that settings name: where they lie, and the copies that stand for them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import ValidationInfo

from apps.science.plugin_places import list_files

PLUGINS: Final = "plugins"
"""What the copy of a folder of plug-ins is called."""


class InputFiles:
    """Finds the files that a campaign.yaml names, and remembers which they were.

    Parameters
    ----------
    folder : what relative paths are relative to
    copies : of a file, by its path as it is written, what to read in its place
    """

    def __init__(self, folder: Path, copies: Mapping[str, Path] | None = None) -> None:
        self.folder = folder
        self.copies = dict(copies or {})
        self.named: dict[str, Path] = {}
        """By its path as it is written, where each file was looked for."""
        self.in_folders: dict[str, Path] = {}
        """Of those of them that are plug-ins, the folder."""

    def find(self, written: Path) -> Path:
        """Return where to read a file."""
        path = self.copies.get(str(written), _expand(self.folder, written))
        self.named[str(written)] = path
        return path

    def find_folder(self, written: Path) -> Path:
        """Return where to read a folder of plug-ins, all of which is copied.

        Raises
        ------
        PluginError
            If it is no folder.
        """
        folder = self._find_copy(f"{written}/") or _expand(self.folder, written)
        for path in list_files(folder):
            self.named[f"{written}/{path.as_posix()}"] = folder / path
            self.in_folders[f"{written}/{path.as_posix()}"] = folder
        return folder

    def _find_copy(self, above: str) -> Path | None:
        """Return the copy of a folder, by that of a file in it."""
        for written, copy in self.copies.items():
            if written.startswith(above):
                folder = copy.parents[written.removeprefix(above).count("/")]
                if folder.name.startswith(PLUGINS):
                    return folder
        return None


def find_file(written: Path, info: ValidationInfo) -> Path:
    """Return where a file that a setting names is to be read.

    The validation's context may hold ``files``, an InputFiles, or a ``folder``.
    """
    context = info.context or {}
    files = context.get("files")
    if isinstance(files, InputFiles):
        return files.find(written)
    return _expand(Path(context.get("folder", "")), written)


def find_folder(written: Path, info: ValidationInfo) -> Path:
    """Return where a folder of plug-ins that a setting names is; as ``find_file``."""
    context = info.context or {}
    files = context.get("files")
    if isinstance(files, InputFiles):
        return files.find_folder(written)
    return _expand(Path(context.get("folder", "")), written)


def _expand(folder: Path, written: Path) -> Path:
    return (folder / written.expanduser()).absolute()
