"""Judge a model's frames against the reference: every metric, with its uncertainty."""

import logging
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from apps.science import plugins
from apps.science.arrays import Array
from apps.science.errors import (
    DataError,
    NumericalError,
    ShapeMismatchError,
    StoppedError,
)
from apps.science.files import atomic_path, hash_file, write_json
from apps.science.metrics.conformations._basins import say_crossings
from apps.science.metrics.conformations._blocks import join_correlated
from apps.science.metrics.conformations._geometry import measure_gyration
from apps.science.metrics.conformations._tic import project_all
from apps.science.metrics.conformations.base import (
    PACKAGE,
    Beads,
    Comparison,
    Metric,
    Passage,
    ProjectsFrames,
    Result,
    WeightedSet,
)
from apps.science.metrics.conformations.chirality import list_centres
from apps.science.metrics.conformations.timescales import (
    MIN_CROSSINGS,
    count_basins,
    count_crossings,
)
from apps.science.resampling import plan_resampling
from apps.science.seeds import derive_seed
from apps.science.segments.frames import WeightedFrames, read_frames
from apps.science.statistics import effective_sample_size

log = logging.getLogger(__name__)

SCHEMA = "weft-metrics-1"
METRICS = PACKAGE
_OF_BROKEN_FRAMES = {"stability"}
"""Metrics that say something of frames that are not finite."""
_FROZEN_ANGSTROM = 1e-4


def run_benchmark(
    reference: Path,
    model: Path,
    mapping: Path,
    tica: Path | None,
    out: Path,
    densities: Path,
    n_bootstrap: int = 200,
    seed: int = 0,
    burn_in_fraction: float = 0.0,
    native: Path | None = None,
    model_course: Path | None = None,
    temperature_kelvin: float | None = None,
    folded_angstrom: float | None = None,
    passage: Passage | None = None,
) -> Path:
    """Compute every metric and write ``out`` (JSON) and ``densities`` (.npz).

    Parameters
    ----------
    reference, model : WeightedFrames of beads
    mapping : mapping.json; bonds, angles and dihedrals come from it
    tica : tica.npz fitted on the reference; None leaves its metrics undefined
    burn_in_fraction : leading part of the model's time left out; 0 where
        ``model_frames`` left it out already. Stability always sees all frames given.
    native : .npy of beads (n_beads, 3) or .pdb of the recorded atoms; for the RMSD
    model_course : the model's frames from time zero, where ``model`` is cut
    temperature_kelvin : of the reference; without it dG is in kT
    folded_angstrom : RMSD below which a frame is folded; None: by the native's size
    passage : what arrived at the targets of the model's run, if it had any

    Raises
    ------
    ShapeMismatchError
        If the sets differ in beads from the mapping.
    NumericalError
        If no finite frame is left of the reference. A model without one is judged by
        its broken frames alone.
    """
    from apps.science.cg.mapping.mapping import read_mapping
    from apps.science.pcoords._tica_model import read_tica

    beads_of = read_mapping(mapping)
    frames = read_frames(model)
    return compare_sets(
        read_frames(reference),
        drop_burn_in(frames, burn_in_fraction),
        frames if model_course is None else read_frames(model_course),
        make_beads(
            beads_of,
            None if tica is None else read_tica(tica),
            None if native is None else read_native(native, beads_of),
            temperature_kelvin,
            folded_angstrom,
        ),
        out,
        densities,
        n_bootstrap,
        seed,
        passage,
        {"reference_sha256": hash_file(reference)},
    )


def make_beads(
    mapping: Any,
    tica: ProjectsFrames | None,
    native: Array | None,
    temperature_kelvin: float | None = None,
    folded_angstrom: float | None = None,
) -> Beads:
    """Return the connectivity of a Mapping with what else metrics need."""
    residues = list(zip(mapping.chains, mapping.resids, strict=True))
    return Beads(
        n_beads=mapping.n_beads,
        bonds=np.array(mapping.bonds, dtype=int).reshape(-1, 2),
        angles=np.array(mapping.angles, dtype=int).reshape(-1, 3),
        dihedrals=np.array(mapping.dihedrals, dtype=int).reshape(-1, 4),
        tica=tica,
        native=native,
        centres=list_centres(mapping.names, residues),
        temperature_kelvin=temperature_kelvin,
        folded_angstrom=folded_angstrom,
    )


def compare_sets(
    reference: WeightedFrames,
    model: WeightedFrames,
    model_course: WeightedFrames,
    beads: Beads,
    out: Path,
    densities: Path,
    n_bootstrap: int,
    seed: int,
    passage: Passage | None = None,
    facts: dict[str, Any] | None = None,
) -> Path:
    """Compute every metric of two sets in memory; see ``run_benchmark``.

    ``facts`` are further keys for the JSON file.
    """
    sets, described = {}, {}
    lost = None
    for name, frames in (("reference", reference), ("model", model)):
        _check_beads(name, frames, beads.n_beads)
        try:
            whole = keep_finite(name, frames)
        except NumericalError as error:
            if name == "reference":
                raise
            lost, whole = str(error), frames
        sets[name] = WeightedSet.from_frames(whole)
        if lost is None:
            slowest = slowest_values(whole.positions, beads)
            sets[name] = join_correlated(sets[name], slowest)
        described[name] = describe_set(frames, sets[name], whole)
    if lost is not None:
        described["model"]["n_finite_frames"] = 0
    course = WeightedSet.from_frames(model_course)
    ref, other = sets["reference"], sets["model"]
    plan_seed = derive_seed(seed, "benchmark")
    plans = [
        plan_resampling(ref.n_blocks, n, n_bootstrap, plan_seed)
        for n in (other.n_blocks, course.n_blocks)
    ]
    comparison = Comparison(
        ref, other, plans[0], course, plans[1], beads,
        derive_seed(seed, "clusters"), passage,
    )  # fmt: skip
    basins, warnings = judge_reference(ref, beads)
    described["reference"]["basins"] = basins
    results: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    for kind in plugins.list_kinds(METRICS):
        metric: Metric = plugins.load_kind(METRICS, kind).Metric()
        results[kind] = {"label": metric.label, "unit": metric.unit}
        reason = metric.undefined(beads)
        if reason is None and lost is not None and kind not in _OF_BROKEN_FRAMES:
            reason = lost
        if reason is not None:
            results[kind] |= {"defined": False, "reason": reason, "figures": {}}
            log.info("%s is not defined: %s", kind, reason)
            continue
        found = _compare(kind, metric, comparison)
        if found.undefined is not None:
            log.info("%s is not defined: %s", kind, found.undefined)
        results[kind] |= {
            "defined": found.undefined is None,
            "reason": found.undefined,
            "figures": {name: asdict(f) for name, f in found.figures.items()},
            "details": found.details,
        }
        arrays |= {f"{kind}/{name}": a for name, a in found.arrays.items()}
    with atomic_path(densities) as temporary, temporary.open("wb") as handle:
        np.savez_compressed(handle, allow_pickle=False, **arrays)
    body = {
        "schema": SCHEMA,
        "n_bootstrap": n_bootstrap,
        "seed": seed,
        "interval": "95 % block bootstrap over lineages",
        "floor": "random halves of the reference against each other, mean",
        "warnings": warnings,
        "model_warnings": judge_course(course),
        "sets": described,
        "metrics": results,
    } | (facts or {})
    return write_json(out, make_plain(body))


def _compare(kind: str, metric: Metric, comparison: Comparison) -> Result:
    """Compare by one metric; what it cannot compute leaves it undefined."""
    try:
        return metric.compare(comparison)
    except (MemoryError, StoppedError):
        raise
    except Exception as error:
        log.warning("%s cannot be computed", kind, exc_info=True)
        said = " ".join(str(error).split())[:200] or type(error).__name__
        return Result(
            undefined=f"it cannot be computed from these frames, which hold structures "
            f"that are none or do not change ({said})"
        )


def judge_course(course: WeightedSet) -> list[str]:
    """Return in sentences how a model's dynamics failed: ran away, or froze."""
    said = []
    finite = np.isfinite(course.positions).all(axis=(1, 2))
    lost = float(course.weight[~finite].sum())
    if lost > 0:
        said.append(
            f"its dynamics ran away: {lost:.0%} of its weight is not finite and counts "
            "as broken (a smaller time step, or more data at short distances, helps)"
        )
    shapes = course.positions[finite]
    if len(shapes) > 1 and float(np.ptp(shapes, axis=0).max()) < _FROZEN_ANGSTROM:
        said.append(
            "it is frozen: no bead of it moves. All its frames count as one structure, "
            "and intervals say nothing"
        )
    for words in said:
        log.warning("the model: %s", words)
    return said


def slowest_values(positions: Array, beads: Beads) -> Array:
    """Return TIC 0 of each frame, or the radius of gyration without TICA."""
    if beads.tica is None:
        return measure_gyration(positions)
    return project_all(positions, beads)[:, 0]


def make_plain(value: Any) -> Any:
    """Return ``value`` with numbers JSON has: NaN and infinities become null."""
    if isinstance(value, dict):
        return {str(k): make_plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [make_plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _check_beads(name: str, frames: WeightedFrames, n_beads: int) -> None:
    if not len(frames):
        raise DataError(f"The {name} has no frames. Run the stage that makes them.")
    if frames.positions.shape[1:] != (n_beads, 3):
        raise ShapeMismatchError(
            f"The {name} has frames of shape {frames.positions.shape[1:]}; the mapping "
            f"has {n_beads} beads. Use frames mapped with this mapping."
        )


def _take(frames: WeightedFrames, rows: Any) -> WeightedFrames:
    return WeightedFrames(**{name: value[rows] for name, value in vars(frames).items()})


def keep_finite(name: str, frames: WeightedFrames) -> WeightedFrames:
    """Return the frames without NaN, logging the weight that is lost."""
    finite = np.isfinite(frames.positions).all(axis=(1, 2))
    if finite.all():
        return frames
    kept = _take(frames, finite)
    if not len(kept) or kept.weight.sum() <= 0:
        raise NumericalError(
            f"No frame of the {name} with weight is finite: the dynamics ran away at "
            "once. Use a smaller time step, or look at the training curve."
        )
    lost = 1 - kept.weight.sum() / frames.weight.sum()
    log.warning("%s: %.2g of its weight is not finite and left out", name, lost)
    return kept


def describe_set(
    frames: WeightedFrames, one: WeightedSet, whole: WeightedFrames
) -> dict[str, Any]:
    """Return how many frames and how much independent information a set holds."""
    _, lineage = np.unique(whole.lineage, return_inverse=True)
    share = np.bincount(lineage, whole.weight).astype(float)
    return {
        "n_frames": len(frames),
        "n_finite_frames": len(whole),
        "ess": one.ess,
        "n_lineages": len(share),
        "effective_lineages": effective_sample_size(share),
        "n_blocks": one.n_blocks,
        "largest_weight": float(one.weight.max()),
        "time_ps": [float(frames.time_ps.min()), float(frames.time_ps.max())],
    }


def judge_reference(
    reference: WeightedSet, beads: Beads
) -> tuple[list[int] | None, list[str]]:
    """Return the basins along TIC 0 and 1, None without TICA, and what to beware of."""
    if beads.tica is None:
        return None, []
    plane = project_all(reference.positions, beads)
    basins = count_basins(reference, plane).tolist()
    warnings = []
    if max(basins) == 1:
        warnings.append(
            "The reference stays in one basin of its slow coordinates: it cannot show "
            "whether a model visits the others, its floor is high for what it does "
            "show, and timescales are not defined. Run it longer, or from other starts."
        )
    elif (crossings := count_crossings(reference, plane, beads.tica)) is not None:
        there, back = crossings
        if min(there, back) < MIN_CROSSINGS:
            warnings.append(
                f"The reference {say_crossings(there, back)}, so how its "
                "weight is shared between basins depends on where it began: "
                "populations, dG and what depends on them cannot be told from this "
                "reference. Run it longer."
            )
    for warning in warnings:
        log.warning("%s", warning)
    return basins, warnings


def drop_burn_in(frames: WeightedFrames, fraction: float) -> WeightedFrames:
    """Return the frames later than ``fraction`` of the longest time."""
    if fraction <= 0 or not len(frames):
        return frames
    return _take(frames, frames.time_ps > fraction * frames.time_ps.max())


def read_native(path: Path, mapping: Any) -> Array:
    """Return native beads (n_beads, 3), Angstrom, from .npy beads or .pdb atoms."""
    if path.suffix == ".npy":
        try:
            native = np.load(path, allow_pickle=False).astype(float)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(
                f"{path} cannot be read as .npy ({error}). Give bead positions, "
                "Angstrom, or a PDB file."
            ) from None
    else:
        from apps.science.cg.dataset.brought_frames import load_trajectory

        atoms = load_trajectory(path).positions[:1].astype(float)
        native = mapping.map_positions(atoms)[0]
    if native.shape != (mapping.n_beads, 3):
        raise ShapeMismatchError(
            f"{path} holds an array of shape {native.shape}; expected "
            f"({mapping.n_beads}, 3) bead positions."
        )
    if not np.isfinite(native).all():
        raise DataError(f"{path} holds numbers that are not finite.")
    return np.asarray(native)
