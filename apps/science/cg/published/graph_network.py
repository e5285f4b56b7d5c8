"""A graph network that torchmd-net trained, as the network that weft runs.

The published C-alpha models are of this kind. What torchmd-net could have been told
beside that either has its place here or is refused by name: nothing is left out.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from apps.science.errors import DataError
from apps.science.models.potentials.torchmd_net import Config

if TYPE_CHECKING:
    from torch import Tensor

    from apps.science.models.potentials._torchmd_net_net import TorchMDNetNetwork

ARCHITECTURE: Final = "graph-network"


class _Settings(BaseModel):
    """What torchmd-net makes a network of, with its own names and defaults."""

    model_config = ConfigDict(extra="ignore")
    model: str
    embedding_dimension: int = Field(gt=1)
    num_layers: int = Field(gt=0)
    num_rbf: int = Field(gt=1)
    rbf_type: str = "expnorm"
    trainable_rbf: bool = False
    activation: str = "silu"
    neighbor_embedding: bool = False
    cutoff_lower: float = Field(0.0, ge=0)
    cutoff_upper: float = Field(gt=0)
    max_z: int = Field(100, gt=0)
    aggr: str = "add"
    output_model: str = "Scalar"
    reduce_op: str = "add"
    atom_filter: int = -1
    prior_model: Any = None
    box_vecs: Any = None


_SUMS: Final = ("add", "sum")
_REFUSED: Final[dict[str, Callable[[_Settings], bool]]] = {
    "output_model": lambda s: s.output_model != "Scalar",
    "aggr": lambda s: s.aggr not in _SUMS,
    "reduce_op": lambda s: s.reduce_op not in _SUMS,
    "atom_filter": lambda s: s.atom_filter > -1,
    "prior_model": lambda s: bool(s.prior_model),
    "box_vecs": lambda s: bool(s.box_vecs),
    "rbf_type": lambda s: s.rbf_type not in ("expnorm", "gauss"),
    "activation": lambda s: (
        s.activation not in ("silu", "swish", "tanh", "ssp", "sigmoid", "mish")
    ),
    "cutoff_lower": lambda s: s.cutoff_lower >= s.cutoff_upper,
}
"""Settings whose value another energy function would be."""


def restore_graph_network(
    settings: dict[str, Any], weights: "dict[str, Tensor]", path: Path, n_beads: int
) -> "TorchMDNetNetwork":
    """Return the network of a torchmd-net checkpoint, ready for inference.

    Parameters
    ----------
    settings, weights : as ``read_lightning`` returns them
    path : where they come from, for messages
    n_beads : of the molecule; the mean that torchmd-net adds is shared among its beads

    Raises
    ------
    DataError
        If the model is of another kind, or its weights are not those of its settings.
    """
    import torch

    from apps.science.models.potentials._torchmd_net_net import TorchMDNetNetwork

    asked = _read_settings(settings, path)
    network = TorchMDNetNetwork(
        Config(
            architecture="graph-network",
            embedding_dimension=asked.embedding_dimension,
            num_layers=asked.num_layers,
            num_rbf=asked.num_rbf,
            trainable_rbf=asked.trainable_rbf,
            cutoff_lower_angstrom=asked.cutoff_lower,
            cutoff_angstrom=asked.cutoff_upper,
            max_embedding=asked.max_z,
        ),
        {
            "rbf_type": asked.rbf_type,
            "activation": asked.activation,
            "neighbor_embedding": asked.neighbor_embedding,
        },
    )
    renamed, scale, shift = _rename(weights)
    try:
        network.load_state_dict(renamed)
    except RuntimeError as error:
        said = " ".join(str(error).split("\n\t")[1:2]) or str(error).splitlines()[0]
        raise DataError(
            f"{path}: its weights are not those of its settings ({said.strip()[:200]})."
            " It was changed, or written by a torchmd-net before 0.1.4; give another "
            "file."
        ) from None
    if not all(bool(torch.isfinite(v).all()) for v in renamed.values()):
        raise DataError(
            f"{path}: not all its weights are finite. Give a checkpoint from before "
            "the training ran away."
        )
    with torch.no_grad():
        last = [p for p in network.output.modules() if isinstance(p, torch.nn.Linear)]
        last[-1].weight.mul_(scale)
        last[-1].bias.mul_(scale).add_(shift / n_beads)
    network.fine_tables = True
    return network.eval()


def _read_settings(settings: dict[str, Any], path: Path) -> _Settings:
    kind = settings.get("model")
    if not isinstance(kind, str):
        raise DataError(
            f"{path} is a checkpoint of Lightning, but not of torchmd-net: its "
            "settings name no model. Give a .ckpt that torchmd-net wrote."
        )
    if kind != ARCHITECTURE:
        raise DataError(
            f"{path} holds torchmd-net's {kind}. Of models that others trained weft "
            f"runs its {ARCHITECTURE} alone, the kind of the published C-alpha models; "
            "give one of these, or judge the frames that this one made (a trajectory)."
        )
    try:
        asked = _Settings(**settings)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise DataError(
            f"{path}: its setting {name} is {settings.get(name, 'absent')!r} "
            f"({first['msg']}). Give a .ckpt that torchmd-net wrote."
        ) from None
    for name, differs in _REFUSED.items():
        if differs(asked):
            raise DataError(
                f"{path} was trained with {name}: {getattr(asked, name)!r}, which weft "
                "does not compute, and without it the forces would be others. Give a "
                "model of the published kind, a sum over beads of Scalar outputs."
            )
    return asked


def _rename(weights: "dict[str, Tensor]") -> "tuple[dict[str, Tensor], float, float]":
    """Return the tensors by our names, and what outputs are scaled and shifted by."""
    found: dict[str, Tensor] = {}
    factors = {"std": 1.0, "mean": 0.0}
    for name, value in weights.items():
        key = name.removeprefix("model.")
        if key in factors:
            factors[key] = float(value)
        elif key != "representation_model.distance.box":  # of a box that is not used
            key = re.sub(
                r"^output_model\.output_network\.(\d)\.",
                r"output_model.output_network.layers.\1.",
                key,
            )
            part, _, rest = key.partition(".")
            found[f"{part.removesuffix('_model')}.{rest}"] = value.float()
    return found, factors["std"], factors["mean"]
