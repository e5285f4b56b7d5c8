"""Checkpoints: plain arguments and tensors, so that reading one runs no code.

Schema ``weft-checkpoint-2``: ``model`` (settings with their kind), ``weights`` (the
averaged ones, ready for use), ``units``, ``proteins`` (by name: prior.yaml and
mapping.json as texts, the prior's sha256, residues), ``provenance`` (versions, data,
seed, settings) and, in ``last.pt``, ``training`` (all that an exact resume needs).
Schema 1 had neither units, proteins nor provenance. Old files must open: raise the
number, and keep reading the old ones.
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
from apps.science.models.base import build_network, read_config

if TYPE_CHECKING:
    from torch import Tensor

    from apps.science.models._network import Network

SCHEMA: Final = "weft-checkpoint-2"
FORMER: Final = "weft-checkpoint-1"
_FAMILY: Final = "weft-checkpoint-"
UNITS: Final = "positions Angstrom, energies kcal/mol, forces kcal/mol/Angstrom"

_MEANT_IN_1: Final[dict[str, dict[str, Any]]] = {
    "cgschnet": {"filter_spacing_angstrom": 0.0, "sequence_by": "bead"}
}
"""What schema 1 meant by leaving out settings that came later."""


def write_checkpoint(
    path: Path,
    model: dict[str, Any],
    weights: "dict[str, Tensor]",
    training: dict[str, Any] | None = None,
    *,
    keep: Path | None = None,
    proteins: Mapping[str, dict[str, str]] | None = None,
    provenance: dict[str, Any] | None = None,
) -> Path:
    """Write a checkpoint atomically.

    Parameters
    ----------
    model : the model's settings as plain values, with ``kind``
    weights : the network's state dict
    training : what a resume needs; left out of a model that is only used
    keep : the name that a checkpoint already at ``path`` is given
    proteins : prior_yaml, mapping_json, prior_sha256 and residues of each
    provenance : plain values that say what made it
    """
    import torch

    content = {
        "schema": SCHEMA,
        "model": model,
        "weights": {name: value.detach().cpu() for name, value in weights.items()},
        "training": training,
        "units": UNITS,
        "proteins": dict(proteins or {}),
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
    """Read a checkpoint onto the CPU; one of an older schema as if of this one.

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
    for name in ("model", "weights"):
        if not isinstance(checked.get(name), dict):
            raise ForeignCheckpointError(
                f"{path} calls itself {found}, but has no {name}. Give a best.pt or "
                "last.pt that weft trained; this file was left as it is."
            )
    if found == FORMER:
        meant = _MEANT_IN_1.get(str(checked["model"].get("kind")), {})
        checked["model"] = {**meant, **checked["model"]}
        checked |= {"units": UNITS, "proteins": {}, "provenance": {}}
    return checked


def restore_network(content: dict[str, Any]) -> "Network":
    """Return the trained network of a checkpoint's content, ready for inference."""
    network = build_network(read_config(content["model"]))
    try:
        network.load_state_dict(content["weights"])
    except (RuntimeError, AttributeError) as error:
        raise DataError(
            f"The weights of the checkpoint are not those of its {content['model']} "
            f"({str(error).splitlines()[0]}). Train the model again."
        ) from None
    network.eval()
    return network


def load_network(path: Path) -> "Network":
    """Return the trained network of a checkpoint, on the CPU, ready for inference."""
    return restore_network(read_checkpoint(path))
