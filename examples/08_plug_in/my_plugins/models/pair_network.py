"""A model of one's own: a small network of each distance between two beads."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from apps.science.models.potentials.base import ModelConfig

if TYPE_CHECKING:
    from apps.science.models.potentials.network import Network


class Config(ModelConfig):
    """Plain values only: they go into every checkpoint."""

    kind: Literal["pair_network"] = "pair_network"
    n_basis: int = Field(12, gt=1, description="Gaussians of a distance.")
    width: int = Field(32, gt=0, description="Neurons of the hidden layer.")
    cutoff_angstrom: float = Field(10.0, gt=0, description="No pair beyond it.")


def build(config: Config) -> "Network":
    """Return it, untrained. torch is imported here, so that validate is quick."""
    from ._pair_network_net import PairNetwork

    return PairNetwork(config)
