"""What every network is: a torch module with a dense energy, and forces from it."""

from abc import abstractmethod

import torch
from torch import Tensor

from apps.science.errors import ConfigError


class Network(torch.nn.Module):
    """A trainable energy; forces are its negative gradient."""

    fine_tables = False
    """Whether tables of its filters have to agree to the last digits of a float."""

    @abstractmethod
    def energy(
        self, positions: Tensor, embeddings: Tensor, sequence: Tensor | None = None
    ) -> Tensor:
        """Return energies (R,), kcal/mol, differentiable twice.

        Parameters
        ----------
        positions : (R, n_beads, 3), Angstrom, float32
        embeddings : (n_beads,), the integers of ``cg.beads``
        sequence : (n_beads,), residue numbers, far apart where chains differ (see
            ``_sequence``); None counts the beads
        """

    def energy_and_forces(
        self, positions: Tensor, embeddings: Tensor, sequence: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return energies (R,) and forces (R, n_beads, 3), kcal/mol/Angstrom.

        Both can be differentiated by the parameters where gradients are enabled, and
        not by the positions. A model that knows its forces in closed form says so
        here; the default takes them from ``energy``.
        """
        train = torch.is_grad_enabled()
        with torch.enable_grad():
            leaf = positions.detach().requires_grad_(True)
            energy = self.energy(leaf, embeddings, sequence)
            (gradient,) = torch.autograd.grad(energy.sum(), leaf, create_graph=train)
        return (energy if train else energy.detach()), -gradient

    def see(self, positions: Tensor, sequence: Tensor | None = None) -> None:
        """Note, before training, which distances some frames of one molecule have.

        Whatever makes use of it is saved with the weights. The default has none.

        Parameters
        ----------
        positions : (R, n_beads, 3), Angstrom; all frames are shown, in any parts
        sequence : as ``energy`` takes it
        """

    def use_mixed_precision(self) -> None:
        """Compute filter layers in bfloat16 while training; all else is float32.

        Raises
        ------
        ConfigError
            If the model has no filter layers to do this in.
        """
        raise ConfigError(
            f"{type(self).__name__} has no mixed precision. Set "
            "training.mixed_precision: false."
        )
