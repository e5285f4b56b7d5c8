"""In the driver: note now and then how far each stage is, for the forecast."""

import time
from pathlib import Path

from apps.science.files import read_json
from campaign.layout.run_dir import RunDir
from campaign.watching.notes import append_event

EVERY_S = 5.0
EVERY_SHARE = 0.005
"""Of the time a stage has taken: some hundred notes, however long it runs."""


class ProgressNotes:
    """Notes the progress of the stages that move."""

    def __init__(self, paths: RunDir) -> None:
        self.paths = paths
        self._seen: dict[str, tuple[float, float, float]] = {}
        self._at_start = {p.stem: p.stat().st_mtime for p in self._files()}

    def look(self) -> None:
        """Note each stage that came further since it was noted last."""
        now = time.time()
        for path in self._files():
            if self._at_start.get(path.stem) == path.stat().st_mtime:
                continue  # of an earlier start
            found = read_json(path) or {}
            done, total = found.get("done"), found.get("total")
            if not isinstance(done, int | float) or not total:
                continue
            first, last, was = self._seen.get(path.stem, (now, 0.0, -1.0))
            pause = max(EVERY_S, EVERY_SHARE * (now - first))
            if done != was and now - last >= pause:
                append_event(
                    self.paths, "progress", stage=path.stem, done=done, total=total,
                    at=found.get("time", now),
                )  # fmt: skip
                self._seen[path.stem] = (first, now, done)

    def _files(self) -> list[Path]:
        return sorted(self.paths.progress("any").parent.glob("[!.]*.json"))
