"""Checkpoints: plain values and tensors, so that reading one runs no code.

Schema ``weft-checkpoint-2``: ``weights`` (the averaged ones, ready for use),
``provenance`` (versions, seed, settings), in ``last.pt`` ``training`` (all that an
exact resume needs), and what its task adds (``Task.payload``). Old files must open:
raise the number, and keep reading the old ones.
"""

import io
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from apps.science.errors import DataError
from apps.science.files import atomic_path
from apps.science.learning.checkpoint_file import ForeignCheckpointError, read_plain

if TYPE_CHECKING:
    from torch import Tensor

SCHEMA: Final = "weft-checkpoint-2"
FORMER: Final = "weft-checkpoint-1"
_FAMILY: Final = "weft-checkpoint-"


def write_checkpoint(
    path: Path,
    weights: "Mapping[str, Tensor]",
    payload: Mapping[str, Any],
    training: Mapping[str, Any] | None = None,
    *,
    keep: Path | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Path:
    """Write a checkpoint atomically.

    Parameters
    ----------
    weights : the network's state dict
    payload : plain values of the task
    training : what a resume needs; left out of a model that is only used
    keep : the name that a checkpoint already at ``path`` is given
    provenance : plain values that say what made it
    """
    import torch

    content = {
        "schema": SCHEMA,
        **payload,
        "weights": {name: value.detach().cpu() for name, value in weights.items()},
        "training": training,
        "provenance": {**_describe_software(), **(provenance or {})},
    }
    # torch would say of a full disk what only its authors understand
    packed = io.BytesIO()
    torch.save(content, packed)
    with atomic_path(path) as temporary:
        temporary.write_bytes(packed.getbuffer())
        if keep is not None and path.exists():
            path.replace(keep)
    return path


def _describe_software() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    import torch

    try:
        weft = version("weft")
    except PackageNotFoundError:
        weft = "unknown"
    return {
        "weft": weft,
        "torch": str(torch.__version__),
        "python": sys.version.split()[0],
        "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU.

    Raises
    ------
    DataError
        If the file is missing, or written by a later version.
    DamagedCheckpointError
        If it was cut or altered.
    ForeignCheckpointError
        If it is no checkpoint of weft.
    """
    content = read_plain(path)
    found = content.get("schema") if isinstance(content, dict) else None
    if not (isinstance(found, str) and found.startswith(_FAMILY)):
        raise ForeignCheckpointError(
            f"{path} is a file of torch's, but no checkpoint of weft: it names no "
            "schema. Give a best.pt or last.pt that weft trained; this file was left "
            "as it is."
        )
    if found not in (SCHEMA, FORMER):
        raise DataError(
            f"{path} has schema {found!r}; expected {SCHEMA!r}. "
            "Train the model again with this version, or read it with the one that "
            "wrote it."
        )
    checked: dict[str, Any] = content
    require(checked, "weights", path)
    return checked


def require(content: Mapping[str, Any], name: str, path: Path) -> None:
    """Refuse a checkpoint that lacks a part.

    Raises
    ------
    ForeignCheckpointError
        If it has no such part, or one that is no mapping.
    """
    if not isinstance(content.get(name), dict):
        raise ForeignCheckpointError(
            f"{path} calls itself {content['schema']}, but has no {name}. Give a "
            "best.pt or last.pt that weft trained; this file was left as it is."
        )
