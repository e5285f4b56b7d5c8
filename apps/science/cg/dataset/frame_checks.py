"""Refuse frames that no force field can be learnt from, before anything is trained.

Forces that are missing or zero, coordinates that are not numbers, units that cannot
be right, and coordinates that belong to another topology.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.cg.internal_coordinates import measure_distances
from apps.science.cg.mapping.mapping import Mapping
from apps.science.errors import DataError, NumericalError, ShapeMismatchError
from apps.science.segments.sharded import WHERE
from apps.science.segments.store import open_store
from apps.science.units import ANGSTROM_PER_NM

_USUAL: Final[dict[str, tuple[float, float]]] = {
    "calpha": (3.6, 4.0), "backbone": (1.2, 1.7), "backbone_cb": (1.1, 1.7),
}  # fmt: skip
"""Angstrom; where the median over the bonds of a kind of beads lies."""

_POSSIBLE: Final[dict[str, tuple[float, float]]] = {
    "calpha": (2.6, 4.6), "backbone": (1.1, 2.0), "backbone_cb": (1.0, 2.0),
}  # fmt: skip
"""Angstrom; where the median of any one bond lies (2.9 between cis C-alphas)."""

_ANY: Final = (0.8, 12.0)
_N_LENGTHS: Final = 2000
_N_AT_ONCE: Final = 1000
_STRONGEST: Final = 500.0
"""kcal/mol/Angstrom; the root mean square over atoms is 20 to 60 at 300 K."""


_TORN: Final = 2.0
"""A bond this many times as long as the longest possible one is torn apart."""


def check_finite(array: Any, rows: IntArray, name: str) -> None:
    """Require numbers.

    Parameters
    ----------
    array : (n_frames, n_atoms, 3); may lie on disk
    rows : frames to look at, rising

    Raises
    ------
    DataError
        If a number is not finite; the first frame is named, and how many there are.
    """
    n_bad, first = 0, -1
    for part in np.array_split(rows, max(1, len(rows) // _N_AT_ONCE)):
        bad = ~np.isfinite(np.asarray(array[part])).all(axis=(1, 2))
        if bad.any() and first < 0:
            first = int(part[bad.argmax()])
        n_bad += int(bad.sum())
    if n_bad:
        raise DataError(
            f"{name} has {n_bad} frames with numbers that are not finite, of "
            f"{len(rows)} looked at; the first is frame {first} (from 0). Leave these "
            "frames out of every file."
        )


def check_whole(lengths: Array, mapping: Mapping, rows: IntArray, name: str) -> None:
    """Refuse frames whose molecule is broken across the periodic box.

    Parameters
    ----------
    lengths : (n_frames, n_bonds), Angstrom
    rows : (n_frames,), number of each frame in its file

    Raises
    ------
    DataError
        If a bond is torn; the frame and the bond are named.
    """
    longest = _TORN * _POSSIBLE.get(mapping.kind, _ANY)[1]
    torn = lengths > longest
    if not torn.any():
        return
    frame = int(torn.any(axis=1).argmax())
    bond = int(lengths[frame].argmax())
    raise DataError(
        f"{name}: the molecule is broken in {int(torn.any(axis=1).sum())} of "
        f"{len(lengths)} frames, as where it crosses the periodic box. The first is "
        f"frame {int(rows[frame])} (from 0): "
        f"{_name_bond(mapping, bond, lengths[frame, bond])}. Make the molecules whole "
        "(gmx trjconv -pbc whole, cpptraj autoimage, mdtraj's make_molecules_whole), "
        "or leave these frames out."
    )


def check_store(segments: Path, mapping: Mapping) -> None:
    """Check what can be seen without reading frames: forces are there, atoms agree.

    Raises
    ------
    DataError
        If there are no forces, or no frame.
    ShapeMismatchError
        If the frames have another number of atoms than the mapping.
    """
    with open_store(segments) as h5:
        if "forces" not in h5 and WHERE not in h5:
            raise DataError(
                f"{segments} has no forces. Force matching needs the forces of every "
                "frame: sample with a propagator that records them."
            )
        shapes = {name: h5[name].shape for name in ("positions", "forces")}
    if shapes["positions"][0] == 0:
        raise DataError(
            f"{segments} holds no frame. Run the sampling and ingest stages first."
        )
    if shapes["positions"] != shapes["forces"]:
        raise ShapeMismatchError(
            f"{segments} has positions of shape {shapes['positions']} but forces of "
            f"{shapes['forces']}. Ingest the run again."
        )
    n_atoms = shapes["positions"][1]
    if n_atoms != mapping.n_atoms:
        raise ShapeMismatchError(
            f"{segments} has {n_atoms} atoms a frame but the mapping covers "
            f"{mapping.n_atoms}. Build the mapping from the topology used for sampling."
        )


@dataclass
class FrameCheck:
    """Looks at frames batch by batch; ``finish`` judges what they have in common."""

    mapping: Mapping
    n_frames: int = 0
    _n_forceless: int = 0
    _square: float = 0.0
    _lengths: list[Array] = field(default_factory=list)

    def add(self, batch: dict[str, Any], beads: Array) -> None:
        """Look at a batch of segments.h5.

        Parameters
        ----------
        batch : ``positions`` and ``forces`` (n_frames, n_atoms, 3), and, where they
            are known, ``n_iter``, ``seg_id``, ``frame`` (n_frames,)
        beads : (n_frames, n_beads, 3), Angstrom

        Raises
        ------
        NumericalError
            If a coordinate or force is not finite; the frame is named.
        """
        for name in ("positions", "forces"):
            bad = ~np.isfinite(batch[name]).all(axis=(1, 2))
            if bad.any():
                raise NumericalError(
                    f"{int(bad.sum())} frames have {name} that are not finite; the "
                    f"first is {_name_frame(batch, int(bad.argmax()), self.n_frames)}. "
                    "Find out why that walker ran away (its shard has it), and sample "
                    "again or leave it out."
                )
        forces = np.asarray(batch["forces"], dtype=np.float64)
        per_frame = np.square(forces).mean(axis=(1, 2)) * 3.0
        self._n_forceless += int((per_frame == 0.0).sum())
        self._square += float(per_frame.sum())
        self.n_frames += len(per_frame)
        if self.mapping.bonds and sum(map(len, self._lengths)) < _N_LENGTHS:
            step = max(1, len(beads) // 500)
            self._lengths.append(measure_distances(beads[::step], self.mapping.bonds))

    def finish(self) -> None:
        """Judge the frames as a whole.

        Raises
        ------
        DataError
            If forces are zero, units cannot be right, or the topology is another's.
        """
        self._check_forces()
        if self._lengths:
            check_bond_lengths(np.concatenate(self._lengths), self.mapping)

    def _check_forces(self) -> None:
        if self._n_forceless:
            share = "all" if self._n_forceless == self.n_frames else self._n_forceless
            raise DataError(
                f"The forces of {share} of {self.n_frames} frames are zero throughout. "
                "They were not recorded: sample with forces, or ingest again."
            )
        strength = (self._square / max(self.n_frames, 1)) ** 0.5
        if strength > _STRONGEST:
            raise DataError(
                f"The root mean square force of an atom is {strength:.0f}, but "
                f"kcal/mol/Angstrom gives less than {_STRONGEST:.0f}. Forces in "
                "kJ/mol/nm are to be divided by 41.84."
            )


def _name_frame(batch: dict[str, Any], row: int, first: int) -> str:
    if "seg_id" not in batch:
        return f"frame {first + row}"
    return (
        f"frame {int(batch['frame'][row])} of segment {int(batch['seg_id'][row])} in "
        f"iteration {int(batch['n_iter'][row])}"
    )


def check_bond_lengths(lengths: Array, mapping: Mapping) -> None:
    """Check that bonded beads are as far apart as such beads are.

    Parameters
    ----------
    lengths : (n_frames, n_bonds), Angstrom

    Raises
    ------
    DataError
        If the unit is wrong, or some bonds join what is far apart.
    """
    median = np.median(lengths, axis=0)
    whole = float(np.median(median))
    low, high = _USUAL.get(mapping.kind, _ANY)
    possible_low, possible_high = _POSSIBLE.get(mapping.kind, _ANY)
    if not possible_low <= whole <= possible_high:
        raise DataError(
            f"The median bond length is {whole:.3g}, but {mapping.kind} beads are "
            f"{low:g} to {high:g} Angstrom apart.{_guess_unit(whole, low, high)}"
        )
    bad = np.flatnonzero((median < possible_low) | (median > possible_high))
    if len(bad):
        named = ", ".join(_name_bond(mapping, int(k), median[k]) for k in bad[:5])
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        raise DataError(
            f"The topology does not match the coordinates: {named}{more}, where "
            f"{possible_low:g} to {possible_high:g} Angstrom are possible. Give the "
            "topology that the frames were made with."
        )
    if not low <= whole <= high:
        raise DataError(
            f"The median bond length is {whole:.3g} Angstrom, but {mapping.kind} beads "
            f"are {low:g} to {high:g} apart. Check the unit of the coordinates."
        )


def _guess_unit(length: float, low: float, high: float) -> str:
    if low <= length * ANGSTROM_PER_NM <= high:
        return " The coordinates are in nm: multiply them by 10."
    if low <= length / ANGSTROM_PER_NM <= high:
        return " The coordinates were multiplied by 10 once too often."
    return " Check the unit of the coordinates, and that the topology is theirs."


def _name_bond(mapping: Mapping, bond: int, length: float) -> str:
    i, j = mapping.bonds[bond]
    return (
        f"{mapping.describe_bead(i)} and {mapping.describe_bead(j)} are {length:.1f} "
        "Angstrom apart"
    )
