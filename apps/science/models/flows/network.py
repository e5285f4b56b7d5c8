"""What every flow is to others: two maps, each the inverse of the other."""

from abc import abstractmethod
from collections.abc import Mapping

from torch import Tensor, nn


class Flow(nn.Module):
    """Turns samples of a simple density into those of another, and back.

    Either map returns what a row became, of the same shape, and the logarithm of the
    absolute determinant of its Jacobian, (n,). A row depends on its own alone.
    """

    @abstractmethod
    def to_data(
        self, latent: Tensor, given: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Map ``latent``, (n, ...), to data.

        Parameters
        ----------
        given : what a sample is conditioned on, by name, a row each; may be empty
        """

    @abstractmethod
    def to_latent(
        self, data: Tensor, given: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Map ``data``, (n, ...), back; ``given`` as in ``to_data``."""
