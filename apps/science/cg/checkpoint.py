"""The checkpoint of a force field: a network, with the priors it was trained on.

Beside what every checkpoint has (``learning.checkpoint``): ``model`` (settings with
their kind), ``units`` and ``proteins`` (by name: prior.yaml and mapping.json as texts,
the prior's sha256, residues). Schema 1 had neither units, proteins nor provenance.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from apps.science.errors import DataError
from apps.science.learning import checkpoint
from apps.science.models.potentials.base import (
    build_network,
    complete_settings,
    read_config,
)

if TYPE_CHECKING:
    from torch import Tensor

    from apps.science.models.potentials.network import Network

UNITS: Final = "positions Angstrom, energies kcal/mol, forces kcal/mol/Angstrom"

_MEANT_IN_1: Final[dict[str, dict[str, Any]]] = {
    "cgschnet": {"filter_spacing_angstrom": 0.0, "sequence_by": "bead"}
}
"""What schema 1 meant by leaving out settings that came later."""


def describe_force_field(
    model: Mapping[str, Any], proteins: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """Return what a checkpoint says of a force field, beside its weights.

    Parameters
    ----------
    model : the model's settings as plain values, with ``kind``
    proteins : prior_yaml, mapping_json, prior_sha256 and residues of each
    """
    return {"model": dict(model), "units": UNITS, "proteins": dict(proteins)}


def write_checkpoint(
    path: Path,
    model: Mapping[str, Any],
    weights: "Mapping[str, Tensor]",
    training: Mapping[str, Any] | None = None,
    *,
    proteins: Mapping[str, Mapping[str, str]] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Path:
    """Write a force field atomically; see ``describe_force_field``."""
    return checkpoint.write_checkpoint(
        path, weights, describe_force_field(model, proteins or {}), training,
        provenance=provenance,
    )  # fmt: skip


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU; one of an older schema as if of this one.

    Raises
    ------
    DataError
        If the file is missing, or written by a later version.
    DamagedCheckpointError
        If it was cut or altered.
    ForeignCheckpointError
        If it is no force field that weft trained.
    """
    content = checkpoint.read_checkpoint(path)
    checkpoint.require(content, "model", path)
    kind = str(content["model"].get("kind"))
    content["model"] = complete_settings(content["model"])
    if content["schema"] == checkpoint.FORMER:
        content["model"] = {**_MEANT_IN_1.get(kind, {}), **content["model"]}
        content |= {"units": UNITS, "proteins": {}, "provenance": {}}
    checkpoint.require(content, "proteins", path)
    return content


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
