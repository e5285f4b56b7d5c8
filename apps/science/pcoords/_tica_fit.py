"""Fit time-lagged independent components to weighted bead trajectories."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from apps.science.arrays import Array
from apps.science.errors import ConfigError, DataError, ShapeMismatchError
from apps.science.pcoords._features import (
    FeatureKind,
    compute_features,
    feature_indices,
)
from apps.science.pcoords._tica_model import TicaModel
from apps.science.units import count_whole

N_TO_LOOK_AT: Final = 2
"""Components that are kept beyond those in use, for pictures."""


def fit_tica(
    bead_trajectories: Sequence[Array],
    frame_interval_ps: float,
    lag_ps: float,
    features: FeatureKind = "distances",
    n_dim: int = 2,
    weights: Sequence[Array] | None = None,
    out: Path | None = None,
    normalise: bool = True,
    n_more: int = 0,
) -> TicaModel:
    """Fit TICA and, where ``out`` is given, write the model there.

    Covariances are symmetrised in time (reversible dynamics); a pair of frames has
    the weight of its earlier frame. Trajectories no longer than the lag are left out.
    The sign of a component is that which makes its largest coefficient positive.

    Parameters
    ----------
    bead_trajectories : each (n_frames, n_beads, 3), Angstrom, evenly spaced in time
    frame_interval_ps : time between frames
    lag_ps : lag time, a whole number of frame intervals
    features : "distances" (pairs with |i-j| >= 3) or "dihedrals" (cosine and sine of
        successive quadruples; phi and psi where the beads are a backbone)
    n_dim : components to keep
    weights : one (n_frames,) array per trajectory; by default all frames weigh alike
    n_more : further components to keep, as far as the data have them
    normalise : scale each component to unit variance; else to the kinetic map

    Raises
    ------
    DataError
        If no trajectory is longer than the lag, or the data has fewer independent
        directions than ``n_dim``.
    """
    n_lag = _whole_frames(lag_ps, frame_interval_ps)
    lengths = [len(trajectory) for trajectory in bead_trajectories]
    usable = [k for k, length in enumerate(lengths) if length > n_lag]
    if not usable:
        longest = max(lengths, default=0)
        raise DataError(
            f"TICA needs trajectories longer than the lag of {lag_ps:g} ps ({n_lag} "
            f"frames of {frame_interval_ps:g} ps); the longest of {len(lengths)} has "
            f"{longest} frames. Run longer walks, or choose a shorter lag."
        )
    n_beads = _one_bead_count(bead_trajectories)
    indices = feature_indices(features, n_beads)
    chosen = [np.asarray(bead_trajectories[k]) for k in usable]
    if weights is None:
        weighted = [np.ones(len(beads)) for beads in chosen]
    else:
        weighted = [np.asarray(weights[k], dtype=float) for k in usable]
    mean, components, eigenvalues = _solve(
        chosen, weighted, features, indices, n_lag, n_dim, n_more
    )
    timescales = -lag_ps / np.log(np.clip(np.abs(eigenvalues), 1e-12, 1 - 1e-12))
    model = TicaModel(
        features, indices, n_beads, mean, components, eigenvalues, timescales, lag_ps
    )
    scale = _spread(model, chosen, weighted) if normalise else 1.0 / np.abs(eigenvalues)
    model = model.scaled(1.0 / scale)
    if out is not None:
        model.write(out)
    return model


def _whole_frames(lag_ps: float, frame_interval_ps: float) -> int:
    n_lag = count_whole(lag_ps, frame_interval_ps)
    if n_lag is None:
        raise ConfigError(
            f"The lag of {lag_ps:g} ps is no whole number of frames of "
            f"{frame_interval_ps:g} ps. Choose a multiple."
        )
    return n_lag


def _one_bead_count(trajectories: Sequence[Array]) -> int:
    counts = {trajectory.shape[1] for trajectory in trajectories}
    if len(counts) > 1:
        raise ShapeMismatchError(
            f"Trajectories hold {sorted(counts)} beads; expected one system."
        )
    return int(counts.pop())


def _solve(
    trajectories: list[Array],
    weights: Sequence[Array],
    features: FeatureKind,
    indices: Any,
    n_lag: int,
    n_dim: int,
    n_more: int,
) -> tuple[Array, Array, Array]:
    """Return mean (n_features,), components (n_features, n_dim), eigenvalues."""
    from deeptime.covariance import Covariance
    from deeptime.decomposition import TICA
    from deeptime.numeric import ZeroRankError
    from numpy.linalg import LinAlgError

    covariance = Covariance(
        n_lag, compute_c0t=True, reversible=True, remove_data_mean=True
    )
    for beads, weight in zip(trajectories, weights, strict=True):
        values = compute_features(features, beads, indices)
        covariance.partial_fit(
            (values[:-n_lag], values[n_lag:]), weights=weight[:-n_lag].copy()
        )
    estimator = TICA(lagtime=n_lag, dim=n_dim + n_more, scaling=None)
    try:
        found = estimator.fit_from_covariances(covariance.fetch_model()).fetch_model()
    except (ZeroRankError, AssertionError, ValueError, LinAlgError) as error:
        raise DataError(
            f"TICA found no slow direction ({' '.join(str(error).split())[:150]}). The "
            "frames hold numbers that are not finite, or do not change: look at the "
            "trajectories, and run longer walks."
        ) from None
    components = np.real(found.instantaneous_coefficients)[:, : n_dim + n_more]
    n_found = components.shape[1]
    eigenvalues = np.real(found.singular_values)[:n_found]
    if n_found < n_dim:
        raise DataError(
            f"TICA found {n_found} independent directions in "
            f"{len(indices)} features; {n_dim} were asked for. Run longer walks, or "
            "ask for fewer."
        )
    mean = np.array(found.mean_0)
    largest = np.abs(components).argmax(axis=0)
    signs = np.sign(components[largest, np.arange(n_found)])
    return mean, components * signs, eigenvalues


def _spread(
    model: TicaModel, trajectories: list[Array], weights: Sequence[Array]
) -> Array:
    """Return the weighted standard deviation of each component, (n_dim,)."""
    values = np.concatenate([model.project(beads) for beads in trajectories])
    weight = np.concatenate(weights)
    weight = weight / weight.sum()
    mean = weight @ values
    spread: Array = np.sqrt(weight @ np.square(values - mean))
    return spread
