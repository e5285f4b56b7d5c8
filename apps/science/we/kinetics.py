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
from apps.science.errors import ConfigError, DataError
from apps.science.seeds import derive_seed


@dataclass(frozen=True)
class Kinetics:
    """A rate and MFPT with 95 % intervals (low, high).

    Attributes
    ----------
    flux : mean probability that arrives per iteration
    rate_per_ps, mfpt_ps : infinite MFPT where nothing arrived
    n_iterations : after the burn-in
    block_length : iterations drawn together by the bootstrap
    """

    flux: float
    rate_per_ps: float
    rate_interval: tuple[float, float]
    mfpt_ps: float
    mfpt_interval: tuple[float, float]
    n_iterations: int
    block_length: int


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
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Kinetics:
    """Return rate and MFPT of a flux series by the Hill relation.

    The 95 % interval is a circular block bootstrap over iterations; a block spans
    twice the flux's integrated autocorrelation time.

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
    length = _block_length(kept)
    rng = np.random.default_rng(derive_seed(seed, "kinetics"))
    n_blocks = -(-n_iterations // length)
    first = rng.integers(n_iterations, size=(n_bootstrap, n_blocks, 1))
    rows = (first + np.arange(length)).reshape(n_bootstrap, -1)[:, :n_iterations]
    means = kept[rows % n_iterations].mean(axis=1)
    low, high = (float(x) for x in np.quantile(means, (0.025, 0.975)))
    mean = float(kept.mean())
    return Kinetics(
        mean,
        mean / tau_ps,
        (low / tau_ps, high / tau_ps),
        _passage(mean, tau_ps),
        (_passage(high, tau_ps), _passage(low, tau_ps)),
        n_iterations,
        length,
    )


def _passage(flux: float, tau_ps: float) -> float:
    return tau_ps / flux if flux > 0 else float("inf")


def _block_length(series: Array) -> int:
    """Return twice the integrated autocorrelation time, at least n^(1/3)."""
    n = len(series)
    least = max(1, round(float(np.cbrt(n))))
    centred = series - series.mean()
    variance = float(centred @ centred)
    if variance == 0:
        return least
    time = 1.0
    for lag in range(1, n // 2):
        correlation = float(centred[:-lag] @ centred[lag:]) / variance
        if correlation <= 0:
            break
        time += 2 * correlation
    return min(max(least, round(2 * time)), max(1, n // 4))
