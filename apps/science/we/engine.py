"""Run or continue one weighted-ensemble simulation in a folder.

west.h5 is only ever trusted as it stood between two iterations: a run that was
stopped, however, begins from that snapshot, and the blocks finished since are found
again by their shards. WESTPA keeps one run per process.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from apps.science.errors import ConfigError
from apps.science.files import make_folder
from apps.science.we.binning import targets
from apps.science.we.binning.bins_check import check_bins_change
from apps.science.we.config import MabBins, WEConfig
from apps.science.we.dispatch import Dispatch
from apps.science.we.spec import PropagationSpec, read_spec
from apps.science.we.storage import identity
from apps.science.we.storage.incomplete import prepare_to_mend
from apps.science.we.storage.journal import IterationRecord, read_record
from apps.science.we.storage.snapshots import Snapshots, find_damage
from apps.science.we.west_cfg import write_west_cfg

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Starts:
    """Basis states: rows of starts.npz with names, probabilities and pcoords."""

    names: list[str]
    probabilities: list[float]
    pcoords: list[list[float]]


def prepare_folder(
    folder: Path, config: WEConfig, spec: PropagationSpec, n_frames: int
) -> Path:
    """Write west.cfg and propagation.json; return the latter.

    Raises
    ------
    ConfigError
        If the folder holds a run of another seed or system; it is left as it is.
    """
    held = folder / "west.h5.snapshot"
    if held.exists() and not find_damage(held):
        identity.check_identity(held, spec)
    make_folder(folder)
    for name in ("journal", "shards"):
        (folder / name).mkdir(exist_ok=True)
    write_west_cfg(folder, config, n_frames, config.n_iterations)
    return spec.write(folder / "propagation.json")


def run_we(
    folder: Path, config: WEConfig, seed: int, starts: Starts, dispatch: Dispatch
) -> Path:
    """Run ``config.n_iterations`` iterations in ``folder``; return west.h5.

    Parameters
    ----------
    dispatch
        How blocks reach the workers.

    Raises
    ------
    ConfigError
        If the bins and the progress coordinate differ in dimension, a starting
        state has no probability, or a target holds one.
    """
    n_dim = len(starts.pcoords[0])
    if n_dim != config.bins.n_dim:
        raise ConfigError(
            f"The bins divide {config.bins.n_dim} progress coordinates but the "
            f"progress coordinate has {n_dim}. Make the two agree."
        )
    targets.check_starts(config, starts.names, starts.probabilities, starts.pcoords)
    prepare_to_mend(folder)
    snapshots = Snapshots(folder)
    watched = replace(dispatch, on_iteration=_watch_bins(folder, config, dispatch))
    west_h5 = folder / "west.h5"
    with _westpa(folder, config) as manager:
        manager.set_up(folder, seed, watched, snapshots)
        if snapshots.restore():
            log.info("%s: continuing from the last snapshot", west_h5)
        else:
            _initialise(manager, config, starts, seed)
            spec = read_spec(folder / "propagation.json")
            identity.write_identity(west_h5, seed, identity.fingerprint(spec))
        manager.load_plugins()
        manager.prepare_run()
        manager.run()
        manager.finalize_run()
    snapshots.take(now=True)
    return west_h5


@contextlib.contextmanager
def _westpa(folder: Path, config: WEConfig) -> Iterator[Any]:
    """Load WESTPA's manager for a run; leave no file of it open."""
    rc = _load_westpa(folder)
    try:
        manager = _make_manager(rc, config)
        try:
            yield manager
        except Exception:
            manager.data_manager.check()  # a full disk has many faces
            raise
        finally:
            manager.data_manager.abandon()
    finally:
        rc.status_stream.close()


def _watch_bins(
    folder: Path, config: WEConfig, dispatch: Dispatch
) -> Callable[[IterationRecord], None]:
    """Return ``dispatch.on_iteration`` with a check that bins do anything at all."""

    def close(record: IterationRecord) -> None:
        dispatch.on_iteration(record)
        n_iter = record.n_iter
        if n_iter == config.one_bin_patience:
            records = (read_record(folder / "journal", n) for n in range(1, n_iter + 1))
            check_bins_change([r.summary for r in records], config)

    return close


def _load_westpa(folder: Path) -> Any:
    """Point WESTPA's global run control at ``folder``."""
    import westpa
    from westpa.core._rc import WESTRC

    from apps.science.we import ordered

    ordered.install()
    os.environ["WEST_SIM_ROOT"] = str(folder)
    rc = WESTRC()
    rc.status_stream = (folder / "west.log").open("a", encoding="utf-8")
    rc.read_config(str(folder / "west.cfg"))
    rc.process_config()
    westpa.rc = rc
    return rc


def _make_manager(rc: Any, config: WEConfig) -> Any:
    """Make the drivers as WESTPA's own w_run does, with weft's manager."""
    from apps.science.we import sim_manager
    from apps.science.we.storage.west_file import CheckedDataManager

    mab = isinstance(config.bins, MabBins)
    kind = sim_manager.WeftMABSimManager if mab else sim_manager.WeftWESimManager
    with contextlib.redirect_stdout(rc.status_stream):
        system = rc.get_system_driver()
        data_manager = rc._data_manager = CheckedDataManager(rc=rc)
        we_driver = rc.get_we_driver()
        propagator = rc.get_propagator()
        manager = rc._sim_manager = kind(rc)
    propagator.system = data_manager.system = we_driver.system = system
    manager.data_manager, manager.system = data_manager, system
    manager.propagator, manager.we_driver = propagator, we_driver
    manager.work_manager = rc.work_manager
    return manager


def _initialise(manager: Any, config: WEConfig, starts: Starts, seed: int) -> None:
    """Create west.h5 with its first iteration, as w_init does."""
    from numpy.random import MT19937, Generator
    from westpa.core.states import BasisState, TargetState

    from apps.science.seeds import derive_seed
    from apps.science.we import ordered
    from apps.science.we.westpa_propagator import use_start_pcoords

    use_start_pcoords(starts.pcoords)
    ordered.restart_order()
    manager.we_driver.rng = Generator(MT19937(derive_seed(seed, "resample", 0)))
    basis = [
        BasisState(name, probability, auxref=str(row))
        for row, (name, probability) in enumerate(
            zip(starts.names, starts.probabilities, strict=True)
        )
    ]
    goals = [TargetState(t.label, targets.representative(t)) for t in config.targets]
    manager.initialize_simulation(basis, goals, [], segs_per_state=1)
    manager.data_manager.close_backing()
