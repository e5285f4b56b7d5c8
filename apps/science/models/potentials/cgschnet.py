"""A compact SchNet for beads, with the distance along the chain on its edges.

SchNet: Schuett et al., J. Chem. Phys. 148, 241722 (2018). CGSchNet: Husic et al.,
J. Chem. Phys. 153, 194101 (2020).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from apps.science.models.potentials.base import ModelConfig

if TYPE_CHECKING:
    from apps.science.models.potentials.network import Network


class Config(ModelConfig):
    """A CGSchNet model."""

    meant_by_absence: ClassVar[Mapping[str, Any]] = {"hold_filters": False}
    kind: Literal["cgschnet"] = "cgschnet"
    embedding_dimension: int = Field(
        64, gt=0, le=16_384, description="Channels per bead."
    )
    num_layers: int = Field(3, gt=0, le=100, description="Interaction layers.")
    num_rbf: int = Field(
        20, gt=1, le=10_000, description="Radial basis functions (expnorm)."
    )
    sequence_range: int = Field(
        6, ge=0, description="Edges know their distance along the chain up to here."
    )
    sequence_by: Literal["residue", "bead"] = Field(
        "residue", description="What is counted along the chain."
    )
    filter_spacing_angstrom: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Filters are cubic splines with knots this far apart; 0 runs the "
        "filter networks on every pair.",
    )
    hold_filters: bool = Field(
        True,
        description="At distances that the training set never has, filters keep the "
        "value that they had last, so that the prior alone acts on a pair there.",
    )
    cutoff_lower_angstrom: float = Field(
        0.0, ge=0, description="No interaction below this distance."
    )
    cutoff_angstrom: float = Field(
        12.0, gt=0, le=1000, description="No interaction beyond this distance."
    )

    @model_validator(mode="after")
    def _cutoffs_are_ordered(self) -> Self:
        if self.cutoff_lower_angstrom >= self.cutoff_angstrom:
            raise ValueError(
                f"cutoff_lower_angstrom {self.cutoff_lower_angstrom:g} must be below "
                f"cutoff_angstrom {self.cutoff_angstrom:g}."
            )
        return self


def build(config: Config) -> "Network":
    """Return an untrained network."""
    from apps.science.models.potentials._cgschnet_net import CGSchNetNetwork

    return CGSchNetNetwork(config)
