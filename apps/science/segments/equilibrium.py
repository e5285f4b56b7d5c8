"""Equilibrium weights of a run without targets, from Markov state models.

WE weights are those of the law at time t: until the ensemble has relaxed they depend
on where it began. How walkers move from one small region to the next within tau does
not. So the space is cut into clusters, the transition probabilities between them are
estimated with the weights, and every cluster is given its weight in their stationary
distribution; within a cluster the weights stay as they are.

Done once, that leaves an error: within a cluster the walkers still lean to where they
came from (on the wells of the tests, 0.6 for a probability of 0.22). So it is done
again and again with other random clusters, whose transition probabilities then come
from the weights of the round before (Kania et al., "RiteWeight: Randomized Iterative
Trajectory Reweighting", 2024); the mean of the later rounds is kept. A segment keeps
one weight for all its frames, as in the raw weights.
"""

import logging
import warnings
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from pydantic import Field

from apps.science.arrays import Array, IntArray
from apps.science.config_base import StrictConfig
from apps.science.errors import ConfigError, DataError, ShapeMismatchError
from apps.science.seeds import derive_seed
from apps.science.statistics import kish_samples

log = logging.getLogger(__name__)

_ROUNDING = 1e-9
_N_FITTED = 20_000
"""Frames that k-means sees, evenly taken."""


class EquilibriumConfig(StrictConfig):
    """Settings of the Markov state models that equilibrium weights come from."""

    n_clusters: int = Field(
        40, gt=1, le=10_000, description="Clusters per round, at most."
    )
    n_rounds: int = Field(
        40, gt=1, le=10_000, description="Rounds, each with other clusters."
    )
    burn_in: int = Field(1, ge=0, description="Iterations left out at the start.")
    n_transitions_per_cluster: int = Field(
        20, gt=0, description="Fewer clusters are used where there are fewer than this."
    )
    tolerated_distance: float = Field(
        0.1,
        gt=0,
        le=1,
        description="Total variation between raw and equilibrium weights above which "
        "a warning is given; it bounds the error of any raw probability.",
    )


@dataclass(frozen=True)
class Transitions:
    """Where walkers began and ended, one row per segment.

    Attributes
    ----------
    start, end : (n_transitions,) rows of the frames
    weight : (n_transitions,) of the segment
    """

    start: IntArray
    end: IntArray
    weight: Array


@dataclass(frozen=True)
class EquilibriumWeights:
    """Weights of every frame and how they came about.

    Attributes
    ----------
    weight : (n_frames,), summing to 1; 0 in the burn-in, where a segment's start is
        not known, and where walkers never went both ways
    n_clusters, n_rounds, burn_in : as used
    connected_share : raw weight of the segments that have an equilibrium weight
    distance : total variation between raw and equilibrium weights over clusters
    ess, n_segments : effective number of segments, and their number
    relaxation_iterations : slowest relaxation time of the last model, in iterations
    lag_iterations : of the transitions
    """

    weight: Array
    n_clusters: int
    n_rounds: int
    burn_in: int
    connected_share: float
    distance: float
    ess: float
    n_segments: int
    relaxation_iterations: float
    lag_iterations: int = 1

    @property
    def provenance(self) -> dict[str, Any]:
        """All but the weights, as attributes of what is stored."""
        return {k: v for k, v in asdict(self).items() if k != "weight"}


def find_transitions(
    n_iter: IntArray, seg_id: IntArray, frame: IntArray, parent: IntArray, weight: Array
) -> Transitions:
    """Join each segment's last frame with its parent's, which it began from.

    All arrays (n_frames,), as in segments.h5. Segments whose parent is not there
    (the first iteration, or left out by a weight cutoff) are not counted.

    Raises
    ------
    DataError
        If walkers were recycled: such a run has a steady state, no equilibrium.
    """
    last = np.flatnonzero(frame == frame.max(initial=0))
    if ((parent[last] < 0) & (n_iter[last] > 1)).any():
        raise DataError(
            "Walkers were recycled: this run has targets, and its flux gives a rate, "
            "not an equilibrium. Use its flux, or run without targets."
        )
    if not len(last):
        return Transitions(last, last, weight[last])
    key = join(n_iter[last], seg_id[last])
    order = np.argsort(key)
    wanted = join(n_iter[last] - 1, parent[last])
    found = order[np.searchsorted(key[order], wanted).clip(max=len(last) - 1)]
    known = (parent[last] >= 0) & (key[found] == wanted)
    return Transitions(last[found[known]], last[known], weight[last[known]])


def join(n_iter: IntArray, seg_id: IntArray) -> IntArray:
    """Return one number for each (n_iter, seg_id)."""
    return (n_iter.astype("i8") << 32) + seg_id


def estimate_equilibrium_weights(
    features: Array,
    weight: Array,
    n_iter: IntArray,
    seg_id: IntArray,
    frame: IntArray,
    parent: IntArray,
    config: EquilibriumConfig | None = None,
    seed: int = 0,
) -> EquilibriumWeights:
    """Return equilibrium weights of every frame.

    Parameters
    ----------
    features : (n_frames, n_features), such as the progress coordinate or TICA
    weight, n_iter, seg_id, frame, parent : (n_frames,), as in segments.h5

    Raises
    ------
    ConfigError
        If the burn-in leaves too few transitions.
    DataError
        If walkers were recycled.
    """
    config = config or EquilibriumConfig()
    features = np.asarray(features, dtype=float)
    if features.ndim != 2 or len(features) != len(weight):
        raise ShapeMismatchError(
            f"Features of shape {features.shape} for {len(weight)} frames; expected "
            "one row for each frame. Compute them from the same store."
        )
    used = np.flatnonzero((n_iter > config.burn_in) & np.isfinite(features).all(axis=1))
    moves = find_transitions(
        n_iter[used], seg_id[used], frame[used], parent[used], weight[used]
    )
    n_moves = len(moves.weight)
    n_clusters = min(config.n_clusters, n_moves // config.n_transitions_per_cluster)
    if n_clusters < 2:
        raise ConfigError(
            f"A burn-in of {config.burn_in} iterations leaves {n_moves} transitions, "
            f"too few for {config.n_transitions_per_cluster} in each of 2 clusters. "
            "Run longer, or shorten the burn-in."
        )
    points = features[used]
    spread = points.std(axis=0)
    points = (points - points.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    start, end = points[moves.start], points[moves.end]
    raw = moves.weight / moves.weight.sum()
    both = np.concatenate([start, end])
    cluster = _fit_clusters(both, n_clusters, derive_seed(seed, "clusters"))
    begun, ended = np.split(cluster, 2)
    stationary, _ = solve_stationary(count_transitions(begun, ended, raw, n_clusters))
    connected = (stationary[begun] > 0) & (stationary[ended] > 0)
    mass = np.zeros(n_moves)
    rng = np.random.default_rng(derive_seed(seed, "equilibrium"))
    mass[connected], relaxation = _reweight(
        start[connected], end[connected], raw[connected],
        min(n_clusters, int(connected.sum())), config.n_rounds, rng,
    )  # fmt: skip
    shares = [np.bincount(ended, w, n_clusters) for w in (raw, mass)]
    result = EquilibriumWeights(
        _spread_over_frames(mass, used[moves.end], n_iter, seg_id),
        n_clusters,
        config.n_rounds,
        config.burn_in,
        float(raw[mass > 0].sum()),
        float(0.5 * np.abs(shares[0] - shares[1]).sum()),
        float(kish_samples(1.0, np.square(mass).sum())),
        n_moves,
        relaxation,
    )
    _report(result, config)
    return result


def _reweight(
    start: Array,
    end: Array,
    raw: Array,
    n_clusters: int,
    n_rounds: int,
    rng: np.random.Generator,
) -> tuple[Array, float]:
    """Return the segments' weights, the mean of the later rounds, summing to 1."""
    from scipy.spatial import cKDTree

    weight, total, relaxation = raw, np.zeros_like(raw), 0.0
    for n_round in range(n_rounds):
        # walkers, not weights, decide: rare places get clusters too
        centres = start[rng.choice(len(start), n_clusters, replace=False)]
        tree = cKDTree(centres)
        begun, ended = tree.query(start)[1], tree.query(end)[1]
        counts = count_transitions(begun, ended, weight, n_clusters)
        stationary, relaxation = solve_stationary(counts)
        held = np.bincount(begun, weight, n_clusters)
        factor = np.divide(
            stationary, held, out=np.zeros(n_clusters), where=stationary > 0
        )
        known = (stationary[begun] > 0) & (stationary[ended] > 0)
        moved = np.where(known, weight * factor[begun], 0.0)
        if n_round >= n_rounds // 2:
            total += moved
        # what these clusters leave unconnected keeps its weight for the next round
        weight = np.where(known, moved, weight)
        weight = weight / weight.sum()
    return total / total.sum(), relaxation


def count_transitions(
    start: IntArray, end: IntArray, weight: Array, n_clusters: int
) -> Array:
    """Return effective counts (n_clusters, n_clusters).

    Row i says where the weight that began in i went, times the effective number
    (Kish) of walkers that it came from.
    """
    heaviest = np.zeros(n_clusters)
    np.maximum.at(heaviest, start, weight)
    share = np.divide(
        weight, heaviest[start], out=np.zeros_like(weight), where=weight > 0
    )  # squares of WE weights would underflow
    mass = np.zeros((n_clusters, n_clusters))
    np.add.at(mass, (start, end), share)
    squares = np.bincount(start, np.square(share), n_clusters)
    # (sum_j w_ij) / (sum w) times (sum w)^2 / (sum w^2)
    total = mass.sum(axis=1)
    scale = np.divide(total, squares, out=np.zeros(n_clusters), where=squares > 0)
    counts: Array = mass * scale[:, None]
    return counts


def solve_stationary(counts: Array) -> tuple[Array, float]:
    """Return the stationary distribution, 0 outside the largest connected set.

    Also the slowest relaxation time, in units of the lag.
    """
    from deeptime.markov import TransitionCountModel
    from deeptime.markov.msm import MaximumLikelihoodMSM

    model = TransitionCountModel(counts).submodel_largest()
    found = np.zeros(len(counts))
    if model.n_states == 1:
        found[model.state_symbols] = 1.0
        return found, 0.0
    # not reversible: the fixed point of the rounds is then free of the clusters
    estimator = MaximumLikelihoodMSM(reversible=False)
    msm = estimator.fit_from_counts(model).fetch_model()
    found[model.state_symbols] = msm.stationary_distribution
    second = np.sort(np.abs(np.linalg.eigvals(msm.transition_matrix)))[-2]
    return found, float(-1.0 / np.log(second)) if 0 < second < 1 else 0.0


def _fit_clusters(points: Array, n_clusters: int, seed: int) -> IntArray:
    """Return the k-means cluster of each point, in which raw weights are judged."""
    from deeptime.clustering import KMeans

    rows = np.linspace(0, len(points) - 1, min(_N_FITTED, len(points))).astype(int)
    estimator = KMeans(n_clusters, max_iter=50, fixed_seed=seed % 2**31, n_jobs=1)
    with warnings.catch_warnings():
        # any partition serves; it need not have converged to the last digit
        warnings.simplefilter("ignore")
        model = estimator.fit(points[rows]).fetch_model()
        labels: IntArray = model.transform(points)
    return labels


def _spread_over_frames(
    mass: Array, last: IntArray, n_iter: IntArray, seg_id: IntArray
) -> Array:
    """Return (n_frames,): each segment's weight, divided over its frames."""
    names = join(n_iter, seg_id)
    unique, which = np.unique(names, return_inverse=True)
    of_segment = np.zeros(len(unique))
    of_segment[np.searchsorted(unique, names[last])] = mass
    frames: Array = of_segment[which] / np.bincount(which)[which]
    return frames


def _report(found: EquilibriumWeights, config: EquilibriumConfig) -> None:
    log.info(
        "equilibrium weights: ESS %.1f of %d segments, total variation to the raw "
        "weights %.3f, slowest relaxation %.1f iterations",
        found.ess, found.n_segments, found.distance, found.relaxation_iterations,
    )  # fmt: skip
    if found.connected_share < 1 - _ROUNDING:
        log.warning(
            "%.3g of the raw weight is not connected both ways with the rest and has "
            "no equilibrium weight; run longer",
            1.0 - found.connected_share,
        )
    if found.distance > config.tolerated_distance:
        log.warning(
            "the ensemble has not relaxed: raw and equilibrium probabilities differ by "
            "up to %.2f; use the equilibrium weights, or run longer",
            found.distance,
        )
