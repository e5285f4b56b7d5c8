"""What is damaged, or not ours, is moved to ``set_aside/`` of its WE folder.

Nothing is deleted: it may be somebody's only copy. What is missing then, ``weft
resume`` makes again (see ``incomplete.py``).
"""

import itertools
import logging
from pathlib import Path

from apps.science.errors import DataError

log = logging.getLogger(__name__)

FOLDER = "set_aside"
REMEDY = (
    "Move that file out of the run folder and type `weft resume` with the run folder: "
    "it is made again."
)
REMEDY_MISSING = "Type `weft resume` with the run folder: it is made again."


def set_aside(path: Path, we_folder: Path, why: str) -> str:
    """Move a file of a WE run out of the way; return a sentence that says where to.

    Where it cannot be moved, the sentence says what to do. Another process may have
    moved it first.

    Parameters
    ----------
    why : what is wrong with it; it is logged
    """
    folder = we_folder / FOLDER
    name = "_".join(path.relative_to(we_folder).parts)
    try:
        folder.mkdir(exist_ok=True)
        for k in itertools.count(1):
            target = folder / f"{name}.{k}"
            if not target.exists():
                break
        path.rename(target)
    except FileNotFoundError:
        return f"It was moved to {folder}; `weft resume` makes it again."
    except OSError:
        return REMEDY
    log.warning("%s: %s; it was moved to %s", path, why.rstrip("."), target)
    return f"It was moved to {target}; `weft resume` makes it again."


def move_damaged(shard: Path, error: DataError) -> DataError:
    """Set a damaged shard aside; return its error, which now says where it is."""
    what = str(error).replace(REMEDY, "").rstrip()
    if not shard.is_file():  # missing, or moved by another process
        return type(error)(f"{what} {REMEDY_MISSING}")
    return type(error)(f"{what} {set_aside(shard, shard.parents[2], what)}")
