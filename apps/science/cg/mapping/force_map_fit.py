"""Measure every force map on sampled frames, and fit the optimal one.

One pass over segments.h5 gathers two weighted covariances of the atomistic forces, of
training and of held-out frames; what a map makes of the forces follows from them.
Weights and split are those of the training set.
"""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from apps.science.arrays import Array
from apps.science.cg.dataset.file import Weights
from apps.science.cg.dataset.split import VALIDATION, assign_split
from apps.science.cg.dataset.weights import read_equilibrium
from apps.science.cg.mapping.config import (
    ForceMapChoice,
    ForceMapKind,
    FrameChoice,
    MappingConfig,
)
from apps.science.cg.mapping.force_maps import (
    FIXED_KINDS,
    Groups,
    check_force_map,
    compose_force_map,
    mean_squared_force,
    optimise_force_map,
)
from apps.science.cg.mapping.mapping import Mapping, read_mapping
from apps.science.errors import DataError
from apps.science.files import write_json
from apps.science.segments.store import iterate_frames, open_store
from apps.science.statistics import kish_samples

_log = logging.getLogger(__name__)

SCHEMA: Final = "weft-force-maps-1"
_SAME_NOISE: Final = 1e-6
"""Relative; maps nearer than this differ by rounding."""


@dataclass
class ForceCovariance:
    """Weighted mean of F_a . F_b over frames, gathered batch by batch.

    Attributes
    ----------
    total : (n_atoms, n_atoms), (kcal/mol/Angstrom)^2 times the mass
    mass, squares : summed weights, and summed squared weights
    """

    n_atoms: int
    total: Array = field(init=False)
    mass: float = 0.0
    squares: float = 0.0
    n_frames: int = 0

    def __post_init__(self) -> None:
        self.total = np.zeros((self.n_atoms, self.n_atoms))

    def add(self, forces: Array, weights: Array) -> None:
        """Add forces (n_frames, n_atoms, 3) with weights (n_frames,)."""
        flat = forces.astype(np.float64).transpose(0, 2, 1).reshape(-1, self.n_atoms)
        scaled = flat * np.repeat(np.sqrt(weights), 3)[:, None]
        self.total += scaled.T @ scaled
        self.mass += float(weights.sum())
        self.squares += float((weights**2).sum())
        self.n_frames += len(weights)

    @property
    def mean(self) -> Array:
        """C, (n_atoms, n_atoms), (kcal/mol/Angstrom)^2."""
        mean: Array = self.total / max(self.mass, 1e-300)
        return mean

    @property
    def effective_samples(self) -> float:
        """Kish effective sample size."""
        return float(kish_samples(self.mass, self.squares))


def fit_force_map(
    segments: Path,
    mapping: Path,
    config: MappingConfig,
    frames: FrameChoice,
    seed: int,
    out: Path,
    report: Path,
    weights: Weights = "raw",
) -> Path:
    """Write the mapping with the force map asked for, and how every map does.

    Parameters
    ----------
    seed : decides the split; that of the training set
    out : a mapping.json; differs from ``mapping`` in its force map only
    report : ``force_maps.json``: ``describe_maps``, with ``asked``, ``chosen`` and
        ``reason``
    weights : those that the training set uses

    Raises
    ------
    DataError
        If no frame is left to train on, or the mapping does not say what is rigid.
    WeightError
        If equilibrium weights are asked for and there are none.
    """
    beads = read_mapping(mapping)
    groups = beads.constraint_groups
    if groups is None:
        raise DataError(
            f"{mapping} is of an earlier version and does not say which atoms are held "
            "rigid together. Run the prepare stage again."
        )
    train, held_out = _gather(segments, beads, frames, seed, weights)
    if not train.mass > 0:
        raise DataError(
            f"{segments} has no frame with weight to fit a force map to. Lower "
            "dataset.weight_cutoff or dataset.burn_in_iterations, or sample longer."
        )
    xi = beads.coordinate_matrix
    maps: dict[ForceMapKind, Array] = {
        kind: compose_force_map(kind, xi, groups) for kind in FIXED_KINDS
    }
    try:
        maps["optimal"] = optimise_force_map(xi, groups, train.mean, config.ridge)
    except DataError:
        if config.force_map == "optimal":
            raise
    described = describe_maps(maps, xi, groups, train, held_out)
    chosen, reason = choose_map(config.force_map, described)
    described |= {
        "asked": config.force_map, "chosen": chosen, "reason": reason,
        "weights": weights,
    }  # fmt: skip
    write_json(report, described)
    _say(chosen, reason, described)
    return beads.with_force_map(chosen, maps[chosen]).write(out)


def _gather(
    segments: Path, beads: Mapping, frames: FrameChoice, seed: int, weights: Weights
) -> tuple[ForceCovariance, ForceCovariance]:
    with open_store(segments) as h5:
        weight, n_iter, root = (h5[name][:] for name in ("weight", "n_iter", "root"))
    keep = (n_iter > frames.burn_in_iterations) & (weight > 0)
    keep &= weight >= frames.weight_cutoff
    split, _ = assign_split(n_iter[keep], root[keep], frames.split_fraction, seed)
    validates = np.zeros(len(weight), dtype=bool)
    validates[np.flatnonzero(keep)[np.asarray(split) == VALIDATION]] = True
    if weights == "equilibrium":  # frames are chosen and split by their raw weights
        equilibrium = read_equilibrium(segments, required=True).weight
        weight = weight if equilibrium is None else equilibrium
        keep &= weight > 0
    train, held_out = ForceCovariance(beads.n_atoms), ForceCovariance(beads.n_atoms)
    start = 0
    for batch in iterate_frames(segments):
        rows = slice(start, start + len(batch["weight"]))
        start = rows.stop
        for part, chosen in (
            (train, keep[rows] & ~validates[rows]),
            (held_out, keep[rows] & validates[rows]),
        ):
            part.add(batch["forces"][chosen], weight[rows][chosen])
    return train, held_out


def describe_maps(
    maps: dict[ForceMapKind, Array],
    xi: Array,
    groups: Groups,
    train: ForceCovariance,
    held_out: ForceCovariance,
) -> dict[str, Any]:
    """Return what ``force_maps.json`` holds.

    ``maps.<kind>``: ``mean_squared_force`` of held-out frames, averaged over beads,
    (kcal/mol/Angstrom)^2, null without such frames; ``mean_squared_force_training``;
    ``per_bead`` (n_beads,); ``diagonal`` of D Xi^T; ``deviation`` from the identity;
    ``n_split_constraints``; ``is_consistent``; ``row_sums``; ``fault``, in words.
    """
    found: dict[str, Any] = {}
    for kind, matrix in maps.items():
        check = check_force_map(matrix, xi, groups)
        training = mean_squared_force(matrix, train.mean)
        unseen = mean_squared_force(matrix, held_out.mean) if held_out.mass else None
        found[kind] = {
            "mean_squared_force": None if unseen is None else float(unseen.mean()),
            "mean_squared_force_training": float(training.mean()),
            "per_bead": (training if unseen is None else unseen).tolist(),
            "diagonal": check.diagonal.tolist(),
            "deviation": check.deviation,
            "n_split_constraints": check.n_split_constraints,
            "is_consistent": check.is_consistent,
            "row_sums": matrix.sum(axis=1).tolist(),
            "fault": check.describe(kind),
        }
    return {
        "schema": SCHEMA,
        "units": "(kcal/mol/Angstrom)^2",
        "n_training_frames": train.n_frames,
        "n_held_out_frames": held_out.n_frames,
        "ess_training": train.effective_samples,
        "ess_held_out": held_out.effective_samples,
        "maps": found,
    }


def choose_map(
    asked: ForceMapChoice, described: dict[str, Any]
) -> tuple[ForceMapKind, str]:
    """Return the map to use, and why in a sentence; empty where a person chose.

    ``auto`` takes, of the consistent maps, the one of the least mean squared force on
    held-out frames. Maps that are as good as each other count as one, and the first,
    ``constraint_sum``, stands for them.

    Parameters
    ----------
    described : from ``describe_maps``
    """
    if asked != "auto":
        return asked, ""
    maps, first = described["maps"], FIXED_KINDS[0]
    kinds = [kind for kind, row in maps.items() if row["is_consistent"]]
    if not kinds:
        return first, (
            f"auto takes {first}, and warns: no force map of these beads is "
            "consistent, since beads share a rigid constraint"
        )
    if len(kinds) == 1:
        return kinds[0], f"auto takes {kinds[0]}, the only consistent force map"
    if described["n_held_out_frames"] == 0:
        return first if first in kinds else kinds[0], (
            f"auto takes {first if first in kinds else kinds[0]}: no frame is held "
            "out (dataset.split_fraction) to measure the noise of force maps on"
        )
    noise = {kind: maps[kind]["mean_squared_force"] for kind in kinds}
    least = min(noise.values())
    alike = [k for k in kinds if noise[k] - least <= _SAME_NOISE * max(least, 1e-300)]
    if len(alike) == len(kinds):
        return alike[0], (
            f"auto takes {alike[0]}: all consistent force maps are alike here, as "
            "where forces come mapped to beads already"
        )
    others = ", ".join(f"{k} {noise[k]:.1f}" for k in kinds if k not in alike)
    return alike[0], (
        f"auto takes {alike[0]}: its mean squared force on held-out frames, "
        f"{noise[alike[0]]:.1f} (kcal/mol/Å)², is the least of the consistent force "
        f"maps ({others})"
    )


def _say(chosen: str, reason: str, described: dict[str, Any]) -> None:
    maps = described["maps"]
    key = "mean_squared_force"
    if described["n_held_out_frames"] == 0:
        key = "mean_squared_force_training"
    _log.info(
        "force maps: mean squared force %s; %s is used",
        ", ".join(f"{kind} {row[key]:.1f}" for kind, row in maps.items()),
        chosen,
    )
    if reason:
        _log.info("force map: %s", reason)
    fault = maps[chosen]["fault"]
    if reason and fault:
        _log.warning("%s", fault)
    if chosen == "optimal" and maps["optimal"][key] > maps["constraint_sum"][key]:
        _log.warning(
            "force map optimal is noisier than constraint_sum on held-out frames "
            "(%.1f and %.1f): it is fitted to too few frames (ESS %.0f); sample "
            "longer, raise mapping.ridge, or use constraint_sum",
            maps["optimal"][key],
            maps["constraint_sum"][key],
            described["ess_training"],
        )
