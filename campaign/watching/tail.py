"""Read files of JSON lines that grow: each line once, however often one looks."""

import json
from pathlib import Path
from typing import Any


class Tail:
    """The lines of every file of a folder that fits a pattern, as they appear."""

    def __init__(self, folder: Path, pattern: str) -> None:
        self.folder, self.pattern = folder, pattern
        self._read: dict[Path, int] = {}

    def new_lines(self) -> list[dict[str, Any]]:
        """Return what was written since the last call; torn lines are passed over.

        A line without its end is left for the next call: it may be half written.
        """
        lines: list[dict[str, Any]] = []
        for path in sorted(self.folder.glob(self.pattern)):
            lines += self._of_file(path)
        return lines

    def _of_file(self, path: Path) -> list[dict[str, Any]]:
        begin = self._read.get(path, 0)
        if path.stat().st_size <= begin:
            return []
        with path.open("rb") as file:
            file.seek(begin)
            text = file.read()
        whole = text.rfind(b"\n") + 1
        self._read[path] = begin + whole
        lines = []
        for line in text[:whole].splitlines():
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                lines.append(value)
        return lines
