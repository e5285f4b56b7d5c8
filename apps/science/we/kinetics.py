"""Flux, rate and mean first passage time of a steady-state run, with intervals.

Hill relation: where every walker that reaches the target is sent back to its start,
the probability Phi that arrives per iteration in the steady state is the inverse
mean number of iterations of a first passage, so with the resampling time tau

    rate = <Phi> / tau        MFPT = tau / <Phi>

It is exact for arrivals seen at whole multiples of tau, with the mean over starting
states taken by their probabilities. Before the steady state the flux is not the
rate: iterations of the burn-in are left out.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apps.science.arrays import Array
from apps.science.correlated_mean import estimate_mean
from apps.science.errors import ConfigError, DataError


@dataclass(frozen=True)
class Kinetics:
    """A rate and MFPT with 95 % intervals (low, high).

    Attributes
    ----------
    flux : mean probability that arrives per iteration
    rate_per_ps, mfpt_ps : infinite MFPT where nothing arrived
    n_iterations : after the burn-in
    correlation_time : of the flux, in iterations
    is_short : whether the flux spans too few correlation times (fewer than 30) for
        the intervals to be taken at their word
    """

    flux: float
    rate_per_ps: float
    rate_interval: tuple[float, float]
    mfpt_ps: float
    mfpt_interval: tuple[float, float]
    n_iterations: int
    correlation_time: float
    is_short: bool


def read_flux(west_h5: Path, label: str | None = None) -> Array:
    """Return the probability recycled in each closed iteration, (n_iterations,).

    Parameters
    ----------
    label : a target's label; None counts all targets

    Raises
    ------
    DataError
        If the run has no such target.
    """
    import h5py

    with h5py.File(west_h5, "r", locking=False) as h5:
        states = _target_ids(h5)
        if not states or (label is not None and label not in states):
            raise DataError(
                f"{west_h5} has the targets {sorted(states)}; expected "
                f"{label or 'at least one'}. Set targets and run again."
            )
        wanted = list(states.values()) if label is None else [states[label]]
        found = []
        # what iteration n recycled is kept with iteration n + 1
        n_iter = 1
        while (group := h5.get(f"iterations/iter_{n_iter + 1:08d}")) is not None:
            total = 0.0
            if "new_weights" in group:
                index = group["new_weights/index"][:]
                chosen = np.isin(index["target_state_id"], wanted)
                total = float(index["weight"][chosen].sum())
            found.append(total)
            n_iter += 1
    return np.array(found)


def _target_ids(h5) -> dict[str, int]:  # type: ignore[no-untyped-def] # h5py has no stubs
    found: dict[str, int] = {}
    if "tstates" not in h5:
        return found
    for name in h5["tstates"]:
        if name == "index":
            continue
        group = h5["tstates"][name]
        if "index" in group:
            labels = group["index"]["label"]
            found |= {
                label.decode() if isinstance(label, bytes) else str(label): i
                for i, label in enumerate(labels)
            }
    return found


def estimate_kinetics(
    flux: Array,
    tau_ps: float,
    burn_in: int = 0,
) -> Kinetics:
    """Return rate and MFPT of a flux series by the Hill relation.

    The 95 % interval is that of ``estimate_mean``: iterations are correlated, and
    slow parts of the flux that the run cannot exclude widen it.

    Parameters
    ----------
    flux : (n_iterations,), probability per iteration, from ``read_flux``
    tau_ps : resampling time
    burn_in : iterations left out at the start

    Raises
    ------
    ConfigError
        If fewer than two iterations are left.
    """
    kept = np.asarray(flux, dtype=float)[burn_in:]
    n_iterations = len(kept)
    if burn_in < 0 or n_iterations < 2 or tau_ps <= 0:
        raise ConfigError(
            f"A burn-in of {burn_in} leaves {n_iterations} of {len(flux)} iterations, "
            f"tau is {tau_ps:g} ps. Run longer, or shorten the burn-in."
        )
    found = estimate_mean(kept)
    return Kinetics(
        found.mean,
        found.mean / tau_ps,
        (found.low / tau_ps, found.high / tau_ps),
        _passage(found.mean, tau_ps),
        (_passage(found.high, tau_ps), _passage(found.low, tau_ps)),
        n_iterations,
        found.correlation_time,
        found.is_short,
    )


def _passage(flux: float, tau_ps: float) -> float:
    return tau_ps / flux if flux > 0 else float("inf")
