"""The energy of coarse-grained dynamics: a prior plus, if trained, a network."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from apps.science.cg.mapping import Mapping, read_mapping
from apps.science.errors import ShapeMismatchError

if TYPE_CHECKING:
    import torch

    from apps.science.cg.prior_terms import Prior
    from apps.science.models._network import Network


class ForceField:
    """Energies and forces of replicas of one molecule.

    Attributes
    ----------
    n_beads : beads of one replica
    masses_amu : (n_beads,)
    bonds : pairs of beads
    """

    def __init__(
        self,
        prior: "Prior",
        mapping: Mapping,
        network: "Network | None" = None,
        device: str = "cpu",
    ) -> None:
        import torch

        self.n_beads = mapping.n_beads
        self.masses_amu: Sequence[float] = list(mapping.masses_amu)
        self.bonds: Sequence[tuple[int, int]] = list(mapping.bonds)
        self.prior = prior.to(device=device)
        self.network = network
        self._embeddings = torch.tensor(mapping.embeddings, device=device)
        if network is not None:
            network.to(device)
            network.eval()
            network.requires_grad_(False)

    def compute(self, positions: "torch.Tensor") -> "tuple[torch.Tensor, torch.Tensor]":
        """Return energies (R,), kcal/mol, and forces (R, n_beads, 3), kcal/mol/Å.

        Parameters
        ----------
        positions : (R, n_beads, 3), Angstrom, float32 or float64. The prior computes
            in this precision, the network in float32; results come back in it.

        Raises
        ------
        ShapeMismatchError
            If the positions have another number of beads.
        """
        import torch

        if positions.ndim != 3 or tuple(positions.shape[1:]) != (self.n_beads, 3):
            raise ShapeMismatchError(
                f"Got positions of shape {tuple(positions.shape)}; expected "
                f"(n_replicas, {self.n_beads}, 3). Use the mapping of this model."
            )
        positions = positions.detach()
        energy, forces = self.prior.energy_and_forces(positions)
        if self.network is None:
            return energy, forces
        with torch.enable_grad():
            leaf = positions.to(torch.float32).requires_grad_(True)
            net_energy = self.network.energy(leaf, self._embeddings)
            (gradient,) = torch.autograd.grad(net_energy.sum(), leaf)
        return (
            energy + net_energy.detach().to(energy.dtype),
            forces - gradient.to(forces.dtype),
        )


def load_force_field(
    prior: Path, mapping: Path, checkpoint: Path | None, device: str = "cpu"
) -> ForceField:
    """Read the parts of a force field and join them.

    Parameters
    ----------
    prior : prior.yaml
    mapping : mapping.json
    checkpoint : ``best.pt`` or ``last.pt`` of a model; None for the prior alone
    """
    from apps.science.cg.priors import read_prior

    read = read_mapping(mapping)
    network = None
    if checkpoint is not None:
        from apps.science.training.checkpoint import load_network

        network = load_network(checkpoint)
    return ForceField(read_prior(prior, read), read, network, device)
