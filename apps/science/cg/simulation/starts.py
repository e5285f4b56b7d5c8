"""Where coarse-grained walkers begin: frames of the reference, warm."""

from pathlib import Path

import numpy as np

from apps.science.cg.mapping.mapping import read_mapping
from apps.science.errors import DataError
from apps.science.files import atomic_path
from apps.science.segments.frames import read_frames
from apps.science.units import thermal_speed


def write_reference_starts(
    frames: Path,
    mapping: Path,
    n_starts: int,
    temperature_kelvin: float,
    seed: int,
    out: Path,
) -> Path:
    """Draw ``n_starts`` reference frames by weight and give them velocities.

    Writes positions and velocities (n_starts, n_beads, 3), Angstrom and Angstrom/ps.

    Raises
    ------
    DataError
        If the reference has fewer frames than are asked for.
    """
    reference, beads = read_frames(frames), read_mapping(mapping)
    if len(reference) < n_starts:
        raise DataError(
            f"The reference has {len(reference)} frames but n_starts is {n_starts}. "
            "Ask for fewer starts, or save reference frames more often."
        )
    rng = np.random.default_rng(seed)
    share = reference.weight / reference.weight.sum()
    rows = np.sort(rng.choice(len(reference), n_starts, replace=False, p=share))
    positions = reference.positions[rows].astype(float)
    speeds = [thermal_speed(temperature_kelvin, m) for m in beads.masses_amu]
    velocities = rng.normal(size=positions.shape) * np.array(speeds)[:, None]
    with atomic_path(out) as temporary:
        np.savez(temporary, positions=positions, velocities=velocities)
    return out
