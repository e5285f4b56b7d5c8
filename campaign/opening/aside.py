"""Move what no longer fits out of the way, inside the run folder; delete nothing."""

import logging
from collections.abc import Iterable
from pathlib import Path

log = logging.getLogger(__name__)

ASIDE = "aside"


def set_aside(root: Path, paths: Iterable[Path], name: str) -> Path:
    """Move files and folders of a run to aside/<number>_<name>/; return that folder.

    They keep their places below the run folder; what is not there is passed over.
    """
    number = 1
    while any((root / ASIDE).glob(f"{number:03d}_*")):
        number += 1
    folder = root / ASIDE / f"{number:03d}_{name}"
    folder.mkdir(parents=True)
    for path in paths:
        if path.exists():
            to = folder / path.relative_to(root)
            to.parent.mkdir(parents=True, exist_ok=True)
            path.rename(to)
            log.info("%s was moved to %s", path, to)
    return folder
