"""CGnet: one dense network on the distances and dihedrals of a short chain.

Wang et al., ACS Cent. Sci. 5, 755 (2019). It sees left from right, which networks on
distances alone do not, and it is of one protein: its inputs are those of so many beads.
For a dipeptide or a short peptide; its size grows with the square of the chain.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from apps.science.models.potentials.base import ModelConfig

if TYPE_CHECKING:
    from apps.science.models.potentials.network import Network


class Config(ModelConfig):
    """A CGnet model."""

    of_one_size: ClassVar[bool] = True

    kind: Literal["cgnet"] = "cgnet"
    n_beads: int = Field(
        5, ge=4, le=10_000, description="Beads of the one chain it is for."
    )
    width: int = Field(128, gt=0, le=16_384, description="Units of a hidden layer.")
    num_layers: int = Field(3, gt=0, le=100, description="Hidden layers.")
    n_members: int = Field(
        1,
        gt=0,
        le=100,
        description="Networks whose energies are averaged; each learns from its share "
        "of every batch, so batch_size and n_epochs belong multiplied by their number.",
    )


def build(config: Config) -> "Network":
    """Return an untrained network."""
    from apps.science.models.potentials._cgnet_net import CGNetNetwork

    return CGNetNetwork(config)
