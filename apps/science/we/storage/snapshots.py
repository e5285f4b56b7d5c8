"""Copies of west.h5 as it stood between two iterations, and the way back to one.

Only such a copy is ever continued: what a killed run was doing to west.h5 is
forgotten, and the iterations since are replayed from the journal and the shards,
without propagating anything again. So a copy need not be made at every iteration:
it is made as often as costs little.
"""

import logging
import time
from pathlib import Path

import h5py

from apps.science.files import atomic_path, copy_file
from apps.science.hdf5 import DAMAGES
from apps.science.we.storage.identity import SEED, SYSTEM
from apps.science.we.storage.set_aside import set_aside

log = logging.getLogger(__name__)

SHARE_OF_TIME = 0.02
"""Copying may take this share of the run's time."""


class Snapshots:
    """Makes and restores the snapshot of one run folder."""

    def __init__(self, folder: Path) -> None:
        self.west_h5 = folder / "west.h5"
        self.copy = folder / "west.h5.snapshot"
        self._next = 0.0

    def take(self, *, now: bool = False) -> None:
        """Copy west.h5, which must be flushed, unless the last copy was just made."""
        began = time.monotonic()
        if began < self._next and not now:
            return
        with atomic_path(self.copy) as temporary:
            copy_file(self.west_h5, temporary, self.copy)
        ended = time.monotonic()
        self._next = ended + (ended - began) / SHARE_OF_TIME

    def restore(self) -> bool:
        """Put the snapshot in place of west.h5; tell whether there was a good one."""
        self._keep_foreign()
        if not self.copy.exists():
            return False
        damage = find_damage(self.copy)
        if damage:
            log.warning(
                "%s is damaged (%s); the run is rebuilt from its journal and shards",
                self.copy,
                damage,
            )
            set_aside(self.copy, self.copy.parent, damage)
            return False
        damage = find_damage(self.west_h5)
        if damage:
            log.warning(
                "%s was damaged (%s); it is restored from its snapshot",
                self.west_h5,
                damage,
            )
        with atomic_path(self.west_h5) as temporary:
            copy_file(self.copy, temporary, self.west_h5)
        return True

    def _keep_foreign(self) -> None:
        """Move a west.h5 that is not the snapshot's run out of the way."""
        if not self.west_h5.exists():
            return
        mine, there = read_marks(self.copy), read_marks(self.west_h5)
        # with a snapshot, what cannot be read is what a killed run left
        if mine is None or (there is not None and there != mine):
            why = "it is not what this run wrote last"
            set_aside(self.west_h5, self.west_h5.parent, why)


def read_marks(west_h5: Path) -> tuple[str, str] | None:
    """Return whose a west.h5 says it is; None where it cannot be read."""
    try:
        with h5py.File(west_h5, "r", locking=False) as h5:
            return str(h5.attrs.get(SEED)), str(h5.attrs.get(SYSTEM))
    except DAMAGES:
        return None


def find_damage(west_h5: Path) -> str:
    """Say what is wrong with a west.h5, nothing where it can be read."""
    if not west_h5.exists():
        return "it is missing"
    try:
        with h5py.File(west_h5, "r", locking=False) as h5:
            current = int(h5.attrs["west_current_iteration"])
            n_particles = int(h5["summary"]["n_particles"][current - 1])
            group = h5[f"iterations/iter_{current:08d}"]
            if len(group["seg_index"]) == 0 or n_particles < 0:
                return f"iteration {current} is empty"
            group["pcoord"][:]
    except (*DAMAGES, IndexError) as error:
        return f"{type(error).__name__}: {error}"
    return ""
