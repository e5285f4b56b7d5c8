"""A path of plain letters for readers and writers that take no others (mdtraj's C)."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def ascii_path(path: Path) -> Iterator[Path]:
    """Yield a path of ASCII letters that leads to ``path``, which may not exist yet.

    It is a link in a temporary folder where the path itself has other letters.
    """
    if str(path).isascii():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="weft-") as folder:
        beside = Path(folder) / "folder"
        if path.name.isascii():
            beside.symlink_to(path.parent.absolute())
            yield beside / path.name
        else:
            link = Path(folder) / f"file{path.suffix if path.suffix.isascii() else ''}"
            link.symlink_to(path.absolute())
            yield link
