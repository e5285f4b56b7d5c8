"""A force that is a polynomial of one coordinate: a whole model in one file."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from apps.science.models.potentials.base import ModelConfig

if TYPE_CHECKING:
    from apps.science.models.potentials.network import Network


class Config(ModelConfig):
    """A polynomial of x of the first bead."""

    kind: Literal["polynomial"] = "polynomial"
    degree: int = Field(7, gt=0, description="Degree of the force.")
    range_angstrom: float = Field(1.8, gt=0, description="Where |x| mostly stays.")


def build(config: Config) -> "Network":
    """Return the polynomial zero."""
    import numpy as np
    import torch
    from numpy.polynomial import legendre
    from torch import Tensor

    from apps.science.models.potentials.network import Network

    n_terms = config.degree + 2
    powers = np.zeros((n_terms, n_terms))
    for k, one in enumerate(np.eye(n_terms)):
        powers[: k + 1, k] = legendre.leg2poly(one)

    class Polynomial(Network):
        """E = -s sum_k c_k (L_{k+1} - L_{k-1}), so that F = sum_k c_k (2k + 1) L_k.

        Legendre polynomials L of x / s are nearly independent: easy to learn.
        """

        def __init__(self) -> None:
            super().__init__()
            self.coefficients = torch.nn.Parameter(torch.zeros(config.degree + 1))
            below = np.concatenate([np.zeros((len(powers), 1)), powers[:, :-2]], axis=1)
            steps = -config.range_angstrom * (powers[:, 1:] - below)
            self.register_buffer("steps", torch.tensor(steps, dtype=torch.float32))
            self.register_buffer("exponents", torch.arange(n_terms))

        def energy(
            self,
            positions: Tensor,
            embeddings: Tensor,
            sequence: Tensor | None = None,
        ) -> Tensor:
            x = positions[:, 0, :1] / config.range_angstrom
            return x**self.exponents @ (self.steps @ self.coefficients)

    return Polynomial()
