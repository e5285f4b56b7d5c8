"""Files that settings name: where they lie, and the copies that stand for them."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationInfo


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

    def find(self, written: Path) -> Path:
        """Return where to read a file."""
        path = self.copies.get(str(written), _expand(self.folder, written))
        self.named[str(written)] = path
        return path


def find_file(written: Path, info: ValidationInfo) -> Path:
    """Return where a file that a setting names is to be read.

    The validation's context may hold ``files``, an InputFiles, or a ``folder``.
    """
    context = info.context or {}
    files = context.get("files")
    if isinstance(files, InputFiles):
        return files.find(written)
    return _expand(Path(context.get("folder", "")), written)


def _expand(folder: Path, written: Path) -> Path:
    return (folder / written.expanduser()).absolute()
