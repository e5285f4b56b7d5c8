"""What every model of forces is to others: forces of particles in a periodic box."""

from abc import abstractmethod

from torch import Tensor, nn


class Forces(nn.Module):
    """Predicts forces straight away; they need not be the gradient of anything.

    They depend on where particles are to each other, by nearest images, and not on
    which number one has. A replica depends on its own alone.
    """

    @abstractmethod
    def forces(
        self, positions: Tensor, types: Tensor, box: Tensor | None = None
    ) -> Tensor:
        """Return forces, (n_replicas, n_particles, 3), kcal/mol/Angstrom.

        Parameters
        ----------
        positions : (n_replicas, n_particles, 3), Angstrom
        types : (n_particles,), integers
        box : (n_replicas, 3), edges of a rectangular box, Angstrom; None: no images
        """
