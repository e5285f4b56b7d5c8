"""TorchMD-Net's architectures: graph network, equivariant transformer, TensorNet."""

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from apps.science.models.potentials.base import ModelConfig

if TYPE_CHECKING:
    from apps.science.models.potentials.network import Network


class Config(ModelConfig):
    """A TorchMD-Net model."""

    kind: Literal["torchmd_net"] = "torchmd_net"
    architecture: Literal["graph-network", "equivariant-transformer", "tensornet"] = (
        Field("graph-network", description="Representation network.")
    )
    embedding_dimension: int = Field(
        64, gt=0, le=16_384, description="Channels per bead."
    )
    num_layers: int = Field(2, gt=0, le=100, description="Interaction layers.")
    num_rbf: int = Field(20, gt=1, le=10_000, description="Radial basis functions.")
    trainable_rbf: bool = Field(True, description="Learn the radial basis.")
    activation: Literal["silu", "tanh", "ssp"] = Field(
        "tanh", description="Nonlinearity; tanh as in the published C-alpha models."
    )
    num_heads: int = Field(8, gt=0, description="Heads of the transformer.")
    cutoff_lower_angstrom: float = Field(
        0.0, ge=0, description="No interaction below this distance."
    )
    cutoff_angstrom: float = Field(
        12.0, gt=0, le=1000, description="No interaction beyond this distance."
    )

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if self.cutoff_lower_angstrom >= self.cutoff_angstrom:
            raise ValueError(
                f"cutoff_lower_angstrom {self.cutoff_lower_angstrom:g} must be below "
                f"cutoff_angstrom {self.cutoff_angstrom:g}."
            )
        if (
            self.architecture == "equivariant-transformer"
            and self.embedding_dimension % self.num_heads
        ):
            raise ValueError(
                f"embedding_dimension {self.embedding_dimension} must be a multiple "
                f"of num_heads {self.num_heads}."
            )
        return self


def build(config: Config) -> "Network":
    """Return an untrained network."""
    from apps.science.models.potentials._torchmd_net_net import TorchMDNetNetwork

    return TorchMDNetNetwork(config)
