"""What a simulation writes: a trajectory per replica and a table of energies."""

import csv
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np

from apps.science.arrays import Array
from apps.science.ascii_path import ascii_path
from apps.science.errors import ConfigError
from apps.science.units import ANGSTROM_PER_NM

Form = Literal["dcd", "xtc"]

MAX_FILES = 500
"""Files open at once; systems allow 1,024 or so."""


class SimulationFiles:
    """Open trajectories and energies.csv of a simulation in progress.

    Parameters
    ----------
    folder : made if absent
    names : of the replicas, one trajectory each

    Raises
    ------
    ConfigError
        If there are too many replicas to have a file each.
    """

    def __init__(self, folder: Path, names: list[str], form: Form) -> None:
        if len(names) > MAX_FILES:
            raise ConfigError(
                f"{len(names)} replicas would need as many open files; at most "
                f"{MAX_FILES} are written. Run fewer, several times with other seeds."
            )
        folder.mkdir(parents=True, exist_ok=True)
        self.paths = [folder / f"{name}.{form}" for name in names]
        self._names, self._form = names, form
        self._stack = ExitStack()
        self._trajectories = [self._open(path) for path in self.paths]
        table = (folder / "energies.csv").open("w", newline="", encoding="utf-8")
        self._table = csv.writer(self._stack.enter_context(table), lineterminator="\n")
        self._table.writerow(
            ["trajectory", "frame", "time_ps", "potential_kcal_per_mol"]
        )
        self.n_frames = [0] * len(names)

    def _open(self, path: Path) -> Any:
        from mdtraj.formats import DCDTrajectoryFile, XTCTrajectoryFile

        kind = DCDTrajectoryFile if self._form == "dcd" else XTCTrajectoryFile
        with ascii_path(path) as plain:  # once it is open the link may go
            return self._stack.enter_context(kind(str(plain), "w"))

    def write(
        self, replica: int, frames: Array, times_ps: Iterable[float], energies: Array
    ) -> None:
        """Append frames (n_frames, n_beads, 3), Angstrom, and their energies."""
        times = np.asarray(list(times_ps), dtype=np.float32)
        if self._form == "dcd":
            self._trajectories[replica].write(frames)
        else:
            self._trajectories[replica].write(
                np.asarray(frames / ANGSTROM_PER_NM, dtype=np.float32), time=times
            )
        for time, energy in zip(times.tolist(), energies.tolist(), strict=True):
            row = [self._names[replica], self.n_frames[replica], f"{time:.3f}", energy]
            self._table.writerow(row)
            self.n_frames[replica] += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
