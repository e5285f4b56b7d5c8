"""How often weft's 95 % intervals hold the truth, where the truth is known.

Parts, each of which can be run alone (``--part``):

- series: the mean of AR(1) noise, alone and under white noise (estimate_mean)
- sets: figures of metrics between two sets of correlated walks of known laws
- chains: slowest timescale and first passage of Markov chains
- ensemble: the flux of WE runs of WESTPA's over-damped Langevin example ("odld"),
  against the exact steady flux of the same chain of steps

The peer is what the project did before: a block bootstrap with blocks of twice the sum
of autocorrelations up to the first that is not positive. The last line is JSON.
"""

import argparse
import json
import multiprocessing
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import interval_cases as cases
import numpy as np

from apps.science.correlated_mean import estimate_mean

LEVEL = 20.0


def share(held: list[bool]) -> float:
    """Return the share that is true, to three digits."""
    return round(float(np.mean(held)), 3)


def cover_series(n_trials: int, _run: Callable[..., list[object]]) -> dict[str, object]:
    """Return the coverage of both estimators on series of known memory."""
    rng = np.random.default_rng(1)
    found: dict[str, object] = {}
    for n in (300, 500, 1000, 3000):
        for time, fast in ((0, 0), (30, 0), (50, 0), (30, 2), (50, 2)):
            ours, peer, width = [], [], []
            for _ in range(n_trials):
                x = LEVEL + cases.remembering(n, time, fast, rng)
                one = estimate_mean(x)
                ours.append(one.low < LEVEL < one.high)
                width.append(one.high - one.low)
                low, high = cases.block_bootstrap(x, rng)
                peer.append(low < LEVEL < high)
            a = np.exp(-1 / time) if time else 0.0
            exact = 2 * 1.96 * np.sqrt(((1 + a) / (1 - a) + fast) / n)
            name = f"n{n}_time{time}_fast{fast}"
            found[name] = {
                "ours": share(ours),
                "peer": share(peer),
                "width_over_exact": round(float(np.median(width) / exact), 2),
            }
            print(name, found[name], flush=True)
    return found


def cover_cases(
    names: list[str], n_trials: int, run: Callable[..., list[object]]
) -> dict[str, object]:
    """Return, by case and figure, how often the interval held the truth."""
    found: dict[str, object] = {}
    for name in names:
        trials = run(partial(cases.CASES[name]), range(n_trials))
        table: dict[str, list[bool]] = {}
        for trial in trials:
            for figure, held in trial.items():
                table.setdefault(figure, []).append(held)
        found[name] = {f: share(held) for f, held in table.items()}
        print(name, found[name], flush=True)
    return found


def cover_ensemble(
    n_trials: int, run: Callable[..., list[object]]
) -> dict[str, object]:
    """Return the coverage of the flux of WE runs, by their length."""
    exact = cases.exact_odld_flux()
    with tempfile.TemporaryDirectory() as folder:
        fluxes = run(partial(cases.odld_flux, Path(folder)), range(n_trials))
    found: dict[str, object] = {"exact_flux_per_iteration": exact}
    rng = np.random.default_rng(2)
    ratios = [f[cases.BURN_IN :].mean() / exact for f in fluxes]
    error = np.std(ratios) / np.sqrt(len(ratios))
    found["mean_over_exact"] = [round(float(np.mean(ratios)), 4), round(error, 4)]
    for n in cases.ODLD_LENGTHS:
        kept = [f[cases.BURN_IN : cases.BURN_IN + n] for f in fluxes]
        means = [estimate_mean(x) for x in kept]
        low, high = np.array([cases.block_bootstrap(x, rng) for x in kept]).T
        found[f"n{n}"] = {
            "ours": share([m.low < exact < m.high for m in means]),
            "peer": share(list((low < exact) & (exact < high))),
            "correlation_times": round(
                float(np.median([m.n_correlation_times for m in means])), 1
            ),
        }
        print(n, found[f"n{n}"], flush=True)
    return found


def main() -> None:
    """Run the parts and print their figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", action="append", choices=["series", "sets", "chains", "ensemble"])  # fmt: skip # noqa: E501
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--ensemble-trials", type=int, default=120)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    parts = asked.part or ["series", "sets", "chains", "ensemble"]
    found: dict[str, object] = {"trials": asked.trials}
    with multiprocessing.get_context("spawn").Pool(asked.processes) as pool:
        if "series" in parts:
            found["series"] = cover_series(asked.trials, pool.map)
        if "sets" in parts:
            found["sets"] = cover_cases(cases.SETS, asked.trials, pool.map)
        if "chains" in parts:
            found["chains"] = cover_cases(cases.CHAINS, asked.trials, pool.map)
        if "ensemble" in parts:
            found["ensemble_trials"] = asked.ensemble_trials
            found["ensemble"] = cover_ensemble(asked.ensemble_trials, pool.map)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
