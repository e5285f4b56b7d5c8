"""What is left to learn: mapped atomistic forces minus the prior's."""

from apps.science.arrays import Array
from apps.science.errors import ShapeMismatchError


def compute_delta_forces(forces: Array, force_map: Array, prior_forces: Array) -> Array:
    """Return what the prior leaves to learn, (n_frames, n_beads, 3), kcal/mol/Å.

    Parameters
    ----------
    forces : (n_frames, n_atoms, 3), kcal/mol/Å
    force_map : (n_beads, n_atoms)
    prior_forces : (n_frames, n_beads, 3), kcal/mol/Å

    Raises
    ------
    ShapeMismatchError
        If the force map was built for another system.
    """
    n_beads, n_atoms = force_map.shape
    if forces.shape[1:] != (n_atoms, 3):
        raise ShapeMismatchError(
            f"Forces cover {forces.shape[1]} atoms but the force map covers {n_atoms}. "
            "Rebuild the map from the topology used for sampling."
        )
    if prior_forces.shape != (len(forces), n_beads, 3):
        raise ShapeMismatchError(
            f"Prior forces have shape {prior_forces.shape}; expected "
            f"{(len(forces), n_beads, 3)}. Use the prior of this mapping."
        )
    delta: Array = force_map @ forces - prior_forces
    return delta
