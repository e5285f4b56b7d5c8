"""What every network is: a torch module with a dense energy."""

from abc import abstractmethod

import torch
from torch import Tensor


class Network(torch.nn.Module):
    """A trainable energy; forces are its negative gradient."""

    @abstractmethod
    def energy(self, positions: Tensor, embeddings: Tensor) -> Tensor:
        """Return energies (R,), kcal/mol, differentiable twice.

        Parameters
        ----------
        positions : (R, n_beads, 3), Angstrom, float32
        embeddings : (n_beads,), the integers of ``cg.beads``
        """
