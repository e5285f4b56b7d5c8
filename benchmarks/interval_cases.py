"""Cases of interval_coverage.py: random sets whose true figures are known."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
from scipy.signal import lfilter

from apps.science.arrays import Array
from apps.science.benchmark.judge import join_correlated
from apps.science.metrics.conformations import end_to_end, folded, passage, timescales
from apps.science.metrics.conformations.base import (
    Beads,
    Comparison,
    Passage,
    WeightedSet,
)
from apps.science.resampling import plan_resampling
from apps.science.segments.frames import WeightedFrames

N_BOOTSTRAP = 200


def remembering(n: int, time: float, fast: float, rng: np.random.Generator) -> Array:
    """Return (n,): AR(1) of variance 1 and memory ``time``, and white noise."""
    a = np.exp(-1.0 / time) if time else 0.0
    noise = rng.normal(size=n + round(10 * time)) * np.sqrt(1 - a * a)
    slow = lfilter([1.0], [1.0, -a], noise)[-n:]
    return np.asarray(slow + np.sqrt(fast) * rng.normal(size=n))


def block_bootstrap(series: Array, rng: np.random.Generator) -> tuple[float, float]:
    """Return the interval of the earlier way, which misses slow parts."""
    n = len(series)
    centred = series - series.mean()
    variance, time = float(centred @ centred), 1.0
    for lag in range(1, n // 2):
        correlation = float(centred[:-lag] @ centred[lag:]) / variance
        if correlation <= 0:
            break
        time += 2 * correlation
    length = min(max(1, round(float(np.cbrt(n))), round(2 * time)), max(1, n // 4))
    first = rng.integers(n, size=(300, -(-n // length), 1))
    rows = (first + np.arange(length)).reshape(300, -1)[:, :n] % n
    low, high = np.quantile(series[rows].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)


class Ends:
    """The slow coordinate of three beads in a row: the distance of the ends."""

    n_dim = 1
    lag_ps = 1.0

    def project(self, positions: Array) -> Array:
        """Return (n_frames, 1)."""
        return np.asarray(positions[:, 2:, 0] - positions[:, :1, 0], dtype=float)


BEADS = Beads(
    3, np.array([[0, 1], [1, 2]]), np.array([[0, 1, 2]]), np.empty((0, 4), int),
    tica=Ends(), native=np.array([[0.0, 0, 0], [3.0, 0, 0], [6.0, 0, 0]]),
    temperature_kelvin=300.0, folded_angstrom=1.0,
)  # fmt: skip


def stretch(ends: Array) -> Array:
    """Return straight frames (n, 3, 3) whose ends are so far apart."""
    x = np.zeros((len(ends), 3, 3), dtype=np.float32)
    x[:, 1, 0], x[:, 2, 0] = ends / 2, ends
    return x


def walks(n_walks: int, n: int, make: Callable[[], Array]) -> WeightedFrames:
    """Return equally weighted walks of n frames, a lineage each."""
    x = np.concatenate([make() for _ in range(n_walks)])
    walk = np.repeat(np.arange(n_walks), n)
    return WeightedFrames(
        stretch(x), np.ones(len(x)), walk, walk, np.tile(np.arange(1.0, n + 1), n_walks)
    )


def compare(
    reference: WeightedFrames, model: WeightedFrames, seed: int, **more: Any
) -> Comparison:
    """Return the comparison as a benchmark makes it."""
    sets = [
        join_correlated(WeightedSet.from_frames(f), Ends().project(f.positions)[:, 0])
        for f in (reference, model)
    ]
    plan = plan_resampling(sets[0].n_blocks, sets[1].n_blocks, N_BOOTSTRAP, seed)
    return Comparison(*sets, plan, sets[1], plan, BEADS, seed, **more)


def hold(figures: dict[str, Any], truths: dict[str, float]) -> dict[str, bool]:
    """Return whether each figure's interval holds its truth."""
    return {
        name: bool(figures[name].low <= truth <= figures[name].high)
        for name, truth in truths.items()
        if name in figures
    }


def _normal_law(mean: float, deviation: float) -> tuple[Array, Array]:
    from scipy import stats

    # the bins of the metric at the reference's exact quantiles
    low, high = 6 + np.array([-1, 1]) * stats.norm.isf(0.0005)
    edges = np.linspace(low, high, 101)
    cdf = stats.norm.cdf(edges, mean, deviation)
    return edges, np.diff(np.concatenate([[0.0], cdf, [1.0]]))


def _set_truths(mean: float, deviation: float) -> dict[str, float]:
    from scipy import stats

    from apps.science.statistics import js_divergence, kl_divergence

    p, q = _normal_law(6.0, 1.0)[1], _normal_law(mean, deviation)[1]
    level = np.linspace(0, 1, 200_001)[1:-1]
    gap = stats.norm.ppf(level) * (1 - deviation) + 6.0 - mean
    return {
        "kl": float(kl_divergence(p, q)),
        "js": float(js_divergence(p, q)),
        "w1": float(np.abs(gap).mean()),
    }


def _sets(
    n_reference: int, n_model: int, n: int, time: float, trial: int
) -> dict[str, bool]:
    """Distances of two normal laws, sampled by walks that remember ``time`` frames."""
    mean, deviation = 6.8, 1.3
    rng = np.random.default_rng([trial, 3])
    a = walks(n_reference, n, lambda: 6.0 + remembering(n, time, 0.0, rng))
    b = walks(n_model, n, lambda: mean + deviation * remembering(n, time, 0.0, rng))
    found = end_to_end.Metric().compare(compare(a, b, trial))
    return hold(found.figures, _set_truths(mean, deviation))


def few_long_walks(trial: int) -> dict[str, bool]:
    """Two walks of 100 correlation times against two."""
    return _sets(2, 2, 4000, 20.0, trial)


def one_short_walk(trial: int) -> dict[str, bool]:
    """One walk of 40 correlation times against 16 of as many frames."""
    return _sets(1, 16, 800, 10.0, trial)


def many_walks(trial: int) -> dict[str, bool]:
    """Forty walks against forty, of 20 correlation times each."""
    return _sets(40, 40, 200, 5.0, trial)


def few_walks(trial: int) -> dict[str, bool]:
    """Eight walks against eight, of 20 correlation times each."""
    return _sets(8, 8, 200, 5.0, trial)


SLOW = np.array([[0.98, 0.02], [0.01, 0.99]])
FAST = np.array([[0.96, 0.04], [0.02, 0.98]])
PLACES = np.array([3.0, 6.0])


def run_chain(matrix: Array, n: int, rng: np.random.Generator) -> Array:
    """Return the states (n,) of a chain of two that begins in equilibrium."""
    draws, found = rng.random(n + 1), np.empty(n, dtype=int)
    state = int(draws[-1] > matrix[1, 0] / (matrix[0, 1] + matrix[1, 0]))
    leave = (matrix[0, 1], matrix[1, 0])
    for step in range(n):
        if draws[step] < leave[state]:
            state = 1 - state
        found[step] = state
    return found


def _place(states: Array, rng: np.random.Generator) -> Array:
    return np.asarray(PLACES[states] + 0.1 * rng.normal(size=len(states)))


def _chains(
    n_walks: int, n: int, metric: str, trial: int, **more: Any
) -> tuple[Any, dict[str, float]]:
    rng = np.random.default_rng([trial, 5])
    a = walks(n_walks, n, lambda: _place(run_chain(SLOW, n, rng), rng))
    b = walks(n_walks, n, lambda: _place(run_chain(FAST, n, rng), rng))
    comparison = compare(a, b, trial, **more)
    module = {"times": timescales, "folded": folded, "passage": passage}[metric]
    found = module.Metric().compare(comparison)
    return found, found.details


def relaxation(n_walks: int, n: int, trial: int) -> dict[str, bool]:
    """Slowest relaxation of two-state chains: 32.8 and 16.2 frames."""
    found, details = _chains(n_walks, n, "times", trial)
    slow, fast = -1 / np.log(0.97), -1 / np.log(0.94)
    held = hold(found.figures, {"slowest": abs(float(np.log(fast / slow)))})
    for name, truth in (("reference", slow), ("model", fast)):
        interval = details.get(f"{name}_slowest_interval_ps")
        if interval is not None:
            held[name] = bool(interval[0] <= truth <= interval[1])
    return held


def relaxation_few(trial: int) -> dict[str, bool]:
    """Four walks of 61 relaxations."""
    return relaxation(4, 2000, trial)


def relaxation_many(trial: int) -> dict[str, bool]:
    """Thirty walks of 15 relaxations."""
    return relaxation(30, 500, trial)


def unlike_shares(trial: int) -> dict[str, bool]:
    """Shares of two states that differ: 2/3 against 1/2."""
    rng = np.random.default_rng([trial, 6])
    even = np.array([[0.97, 0.03], [0.03, 0.97]])
    a = walks(4, 2000, lambda: _place(run_chain(SLOW, 2000, rng), rng))
    b = walks(8, 500, lambda: _place(run_chain(even, 500, rng), rng))
    found = folded.Metric().compare(compare(a, b, trial))
    kt = 0.0019872 * 300
    return hold(
        found.figures, {"fraction": 2 / 3 - 1 / 2, "delta_g": float(kt * np.log(2))}
    )


def first_passage(trial: int) -> dict[str, bool]:
    """Compare a passage from state 0 to 1 (50 frames) with a flux of 1 in 25."""
    rng = np.random.default_rng([trial, 7])
    flux = 0.04 * np.exp(0.5 * remembering(600, 10.0, 1.0, rng) - 0.25)
    known = Passage(flux, 1.0, (((4.5, 1e9),),), np.array([[3.0]]))
    found, details = _chains(4, 2000, "passage", trial, passage=known)
    held = hold(found.figures, {"mfpt": float(np.log(2.0))})
    low, high = details["model_mfpt_interval_ps"]
    return held | {"flux": bool(low <= 25.0 <= high)}


SETS = ["few_long_walks", "one_short_walk", "few_walks", "many_walks"]
CHAINS = ["relaxation_few", "relaxation_many", "unlike_shares", "first_passage"]
CASES: dict[str, Callable[[int], dict[str, bool]]] = {
    name: globals()[name] for name in (*SETS, *CHAINS)
}

# WESTPA's example: U/kT = -5 cos(pi (x - 1)) / (exp(x / 2) - 1), from 8 to below 1.3,
# reflected at 10; 20 steps of variance 0.001 there, more here, so that fewer
# iterations reach the steady state
ODLD_STEPS = 400
ODLD_TIMESTEP_FS = 0.5
BURN_IN = 200
ODLD_LENGTHS = (60, 120, 250)


def odld_flux(folder: Path, trial: int) -> Array:
    """Return what a WE run recycled in each iteration."""
    from apps.science.propagators.base import States
    from apps.science.we import engine
    from apps.science.we.block import compute_start_pcoords, propagate_block
    from apps.science.we.config import WEConfig
    from apps.science.we.dispatch import Block, Dispatch
    from apps.science.we.kinetics import read_flux
    from apps.science.we.spec import PropagationSpec

    folder = folder / str(trial)
    folder.mkdir()
    position = np.zeros((1, 1, 3))
    position[0, 0, 0] = 8.0
    starts = folder / "starts.npz"
    state = States(position, np.zeros_like(position))
    np.savez(starts, positions=state.positions, velocities=state.velocities)
    edges = [*np.arange(1.5, 4.0, 0.25), *np.arange(4.0, 9.0, 0.5)]
    config = WEConfig.model_validate(
        {
            "n_iterations": BURN_IN + max(ODLD_LENGTHS) + 1,
            "walkers_per_bin": 6,
            "bins": {"kind": "rectilinear", "edges": [[round(e, 2) for e in edges]]},
            "targets": [{"region": [[None, 1.3]]}],
        }
    )
    toy = {
        "kind": "toy", "potential": "odld", "n_steps": ODLD_STEPS,
        "n_steps_per_frame": ODLD_STEPS, "timestep_fs": ODLD_TIMESTEP_FS,
        "diffusion_angstrom2_per_ps": 1.0, "barrier_kt": 5.0,
    }  # fmt: skip
    spec = PropagationSpec(trial, toy, {"kind": "cartesian", "axes": [0]}, str(starts))
    path = engine.prepare_folder(folder, config, spec, n_frames=1)

    def submit(block: Block) -> "Future[Any]":
        done: Future[Any] = Future()
        done.set_result(
            propagate_block(
                path,
                block.n_iter,
                block.seg_ids,
                block.parent_ids,
                block.origins,
                block.out,
            )
        )
        return done

    dispatch = Dispatch(submit, lambda n: n, lambda _: None, lambda *_: None)
    begin = engine.Starts(["right"], [1.0], compute_start_pcoords(path))
    return read_flux(engine.run_we(folder, config, trial, begin, dispatch))


def exact_odld_flux() -> float:
    """Return the steady flux per iteration of the same chain of steps."""
    from apps.science.propagators._exact import exact_recycled_flux, make_grid
    from apps.science.propagators._potentials import POTENTIALS

    potential = POTENTIALS["odld"](5.0)
    low, high = potential.bounds[0]
    cells = round((high - low) / 0.02)
    found = exact_recycled_flux(
        potential, 1.0, ODLD_TIMESTEP_FS / 1000, ODLD_STEPS, np.array([8.0]),
        lambda x: x[:, 0] < 1.3, make_grid(potential, cells), 3000,
    )  # fmt: skip
    print("relaxed within 1 % at", int(np.argmax(found > 0.99 * found[-1])), flush=True)
    return float(found[-1])
