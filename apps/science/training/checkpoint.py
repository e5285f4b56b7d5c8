"""Checkpoints: plain arguments and tensors, so that reading one runs no code.

Schema ``weft-checkpoint-1``: ``model`` (settings with their kind), ``weights`` (the
averaged ones, ready for use) and, in ``last.pt``, ``training`` (all that an exact
resume needs). Old files must open: raise the number, and keep reading the old one.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from apps.science.errors import DataError
from apps.science.files import atomic_path
from apps.science.models.base import build_network, read_config

if TYPE_CHECKING:
    from torch import Tensor

    from apps.science.models._network import Network

SCHEMA: Final = "weft-checkpoint-1"


def write_checkpoint(
    path: Path,
    model: dict[str, Any],
    weights: "dict[str, Tensor]",
    training: dict[str, Any] | None = None,
) -> Path:
    """Write a checkpoint atomically.

    Parameters
    ----------
    model : the model's settings as plain values, with ``kind``
    weights : the network's state dict
    training : what a resume needs; left out of a model that is only used
    """
    import torch

    content = {
        "schema": SCHEMA,
        "model": model,
        "weights": {name: value.detach().cpu() for name, value in weights.items()},
        "training": training,
    }
    with atomic_path(path) as temporary:
        torch.save(content, temporary)
    return path


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU.

    Raises
    ------
    DataError
        If the file is missing, damaged, or of another schema.
    """
    import pickle
    import zipfile

    import torch

    if not path.exists():
        raise DataError(f"{path} does not exist. Train the model first.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile) as bad:
        raise DataError(
            f"{path} cannot be read as a checkpoint ({bad}). "
            "Delete it; training goes on from what is left."
        ) from None
    found = content.get("schema") if isinstance(content, dict) else None
    if found != SCHEMA:
        raise DataError(
            f"{path} has schema {found!r}; expected {SCHEMA!r}. "
            "Train the model again with this version."
        )
    checked: dict[str, Any] = content
    return checked


def load_network(path: Path) -> "Network":
    """Return the trained network of a checkpoint, on the CPU, ready for inference."""
    content = read_checkpoint(path)
    network = build_network(read_config(content["model"]))
    network.load_state_dict(content["weights"])
    network.eval()
    return network
