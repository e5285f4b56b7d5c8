"""What models are judged against: frames, beads, slow coordinates, and their hash.

A campaign makes one; a user may bring one as trajectories with weights. What is made
of those is kept in a folder named by the hash of all that it depends on, as plain
arrays, and used again: frames.h5, mapping.json, tica.npz, histograms.npz and
reference.json, which says where they come from.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apps.science import plugins
from apps.science.arrays import Array
from apps.science.benchmark.judge import METRICS, make_beads, read_native
from apps.science.cg.dataset.brought_frames import (
    assemble_frames,
    load_trajectory,
    map_to_beads,
    read_weights,
)
from apps.science.cg.dataset.frame_checks import check_finite, check_whole
from apps.science.cg.internal_coordinates import measure_distances
from apps.science.cg.mapping.mapping import Mapping, build_mapping, read_mapping
from apps.science.errors import DataError
from apps.science.files import atomic_path, hash_file, write_json
from apps.science.metrics.conformations._transitions import find_interval
from apps.science.metrics.conformations.base import WeightedSet
from apps.science.metrics.conformations.distribution import (
    DistributionMetric,
    observe_all,
)
from apps.science.pcoords._features import FeatureKind
from apps.science.pcoords.tica import N_TO_LOOK_AT, fit_tica, read_tica
from apps.science.segments.frames import WeightedFrames, read_frames
from apps.science.statistics import periodic_edges, shared_edges, weighted_histogram

log = logging.getLogger(__name__)

SCHEMA = "weft-reference-1"
REFERENCE_JSON = "reference.json"
N_BINS = 100


@dataclass(frozen=True)
class ReferenceSet:
    """Where a reference lies.

    Attributes
    ----------
    frames, mapping : WeightedFrames and mapping.json
    tica : None where the beads are too few for slow coordinates
    native : .pdb of the recorded atoms or .npy of beads, None without
    topology : a structure whose atoms are those of the mapping, None without
    temperature_kelvin : None where not known
    """

    frames: Path
    mapping: Path
    tica: Path | None = None
    native: Path | None = None
    topology: Path | None = None
    temperature_kelvin: float | None = None

    def read_mapping(self) -> Mapping:
        """Return its beads."""
        return read_mapping(self.mapping)

    def read_native(self) -> Array | None:
        """Return the native beads (n_beads, 3), Angstrom."""
        if self.native is None:
            return None
        return read_native(self.native, self.read_mapping())


@dataclass(frozen=True)
class BroughtReference:
    """What a user gives for a reference.

    Attributes
    ----------
    trajectories : files that mdtraj reads
    topology : a structure of the same atoms, where the trajectories do not name them
    weights : one a frame, in the order of the trajectories; None: all alike
    beads : ``calpha``, ``backbone``, ``backbone_cb``
    lag_ps, features : of the TICA fitted on it
    interval_ps : time between frames, where the files hold no times
    """

    trajectories: Sequence[Path]
    topology: Path | None = None
    weights: Path | None = None
    beads: str = "calpha"
    lag_ps: float = 100.0
    features: FeatureKind = "distances"
    interval_ps: float | None = None

    def describe(self) -> dict[str, Any]:
        """Return all that the set depends on, by content and not by name."""
        given = [*self.trajectories, self.topology, self.weights]
        for path in given:
            if path is not None and not path.is_file():
                raise DataError(f"{path} does not exist. Check its path.")
        return {
            "schema": SCHEMA,
            "files": [None if p is None else hash_file(p) for p in given],
            "beads": self.beads,
            "lag_ps": self.lag_ps,
            "features": self.features,
            "interval_ps": self.interval_ps,
        }


@dataclass(frozen=True)
class _Masses:
    """What a mapping needs of a trajectory's atoms: no constraints are known."""

    masses_amu: list[float]
    constraints: list[tuple[int, int]]


def bring_reference(given: BroughtReference, cache: Path) -> ReferenceSet:
    """Make a reference of trajectories, or take the one made of the same before.

    Parameters
    ----------
    cache : folder; the set goes to ``cache/reference-<hash>``

    Raises
    ------
    DataError
        If a file cannot be read, or the reference is shorter than the TICA lag.
    WeightError
        If there is not one weight for each frame.
    """
    facts = given.describe()
    sha = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    folder = cache / f"reference-{sha[:12]}"
    if (folder / REFERENCE_JSON).is_file():
        log.info("reference %s is taken from the cache", sha[:12])
        return open_reference(folder)
    found = [
        load_trajectory(p, given.topology, given.interval_ps)
        for p in given.trajectories
    ]
    for path, one in zip(given.trajectories, found, strict=True):
        check_finite(one.positions, np.arange(len(one.positions)), path.name)
    n_frames = sum(len(f.positions) for f in found)
    weight = None if given.weights is None else read_weights(given.weights, n_frames)
    first = found[0]
    structure = _write_structure(first.positions[:1], first.topology, folder)
    masses = [a.element.mass if a.element else 0.0 for a in first.topology.atoms]
    # no force is mapped here, so a slice will do
    mapping = build_mapping(structure, _Masses(masses, []), given.beads, "slice")
    mapping.write(folder / "mapping.json")
    beads = [map_to_beads(f, mapping, "reference") for f in found]
    for path, mapped in zip(given.trajectories, beads, strict=True):
        if mapping.bonds:
            lengths = measure_distances(mapped, mapping.bonds)
            check_whole(lengths, mapping, np.arange(len(mapped)), path.name)
    times = [f.time_ps for f in found]
    frames = assemble_frames(beads, times, weight)
    frames.write(folder / "frames.h5")
    tica = fit_slow(frames, given.lag_ps, given.features, folder / "tica.npz")
    write_histograms(frames, mapping, tica, folder / "histograms.npz")
    names = [p.name for p in given.trajectories]
    write_json(
        folder / REFERENCE_JSON,
        facts | {"sha256": sha, "trajectories": names, "n_frames": n_frames},
    )
    return open_reference(folder)


def open_reference(folder: Path) -> ReferenceSet:
    """Return a set made by ``bring_reference``."""
    path = folder / REFERENCE_JSON
    if not path.is_file():
        raise DataError(f"{path} does not exist. Give a folder made by weft benchmark.")
    facts = json.loads(path.read_text(encoding="utf-8"))
    if facts.get("schema") != SCHEMA:
        raise DataError(
            f"{path} has schema {facts.get('schema')!r}; expected {SCHEMA!r}. Move "
            "the folder away and bring the reference again."
        )
    tica = folder / "tica.npz"
    return ReferenceSet(
        folder / "frames.h5", folder / "mapping.json",
        tica if tica.is_file() else None, None, folder / "topology.pdb", None,
    )  # fmt: skip


def _write_structure(positions: Array, topology: Any, folder: Path) -> Path:
    import mdtraj

    from apps.science.units import ANGSTROM_PER_NM

    frame = mdtraj.Trajectory(positions / ANGSTROM_PER_NM, topology)
    with atomic_path(folder / "topology.pdb") as temporary:
        frame.save_pdb(str(temporary))
    return folder / "topology.pdb"


def fit_slow(
    frames: WeightedFrames, lag_ps: float, features: FeatureKind, out: Path
) -> Path | None:
    """Fit TICA on a set of trajectories; None where beads are too few for it.

    Raises
    ------
    DataError
        If no trajectory is longer than the lag.
    """
    n_beads = frames.positions.shape[1]
    if n_beads <= 3:
        log.info("%d beads have no slow coordinates: TICA is left out", n_beads)
        return None
    interval = find_interval(WeightedSet.from_frames(frames))
    names = np.unique(frames.trajectory)
    rows = [np.flatnonzero(frames.trajectory == name) for name in names]
    n_dim = 2 if n_beads > 4 or features == "dihedrals" else 1
    fit_tica(
        [frames.positions[r] for r in rows], interval or lag_ps, lag_ps, features,
        n_dim, [frames.weight[r] for r in rows], out,
        n_more=N_TO_LOOK_AT if n_dim > 1 else 0,
    )  # fmt: skip
    return out


def check_lag(frames: WeightedFrames, tica: Path) -> None:
    """Refuse a reference that is nowhere longer than the lag of its TICA.

    Raises
    ------
    DataError
        If so: nothing slow can have been learnt from it.
    """
    lag_ps = read_tica(tica).lag_ps
    spans = [
        float(np.ptp(frames.time_ps[frames.trajectory == t]))
        for t in np.unique(frames.trajectory)
    ]
    if max(spans, default=0.0) < lag_ps * (1 - 1e-6):
        raise DataError(
            f"The longest trajectory of the reference lasts {max(spans, default=0):g} "
            f"ps, less than the TICA lag of {lag_ps:g} ps. Give longer trajectories, "
            "or a shorter lag."
        )


def write_histograms(
    frames: WeightedFrames, mapping: Mapping, tica: Path | None, out: Path
) -> Path:
    """Write the reference's histogram of every quantity: edges and masses."""
    one = WeightedSet.from_frames(frames)
    beads = make_beads(mapping, None if tica is None else read_tica(tica), None)
    arrays: dict[str, Array] = {}
    for kind in plugins.list_kinds(METRICS):
        metric = plugins.load_kind(METRICS, kind).Metric()
        if not isinstance(metric, DistributionMetric) or metric.undefined(beads):
            continue
        values = observe_all(metric, one.positions, beads)
        weight = np.repeat(one.weight, values.shape[1])
        edges = (
            shared_edges(values.ravel(), weight, N_BINS)
            if metric.period is None
            else periodic_edges(metric.period, N_BINS)
        )
        arrays[f"{kind}/edges"] = edges
        arrays[f"{kind}/masses"] = weighted_histogram(values.ravel(), weight, edges)
    with atomic_path(out) as temporary, temporary.open("wb") as handle:
        np.savez_compressed(handle, allow_pickle=False, **arrays)
    return out


def check_reference(reference: ReferenceSet) -> WeightedFrames:
    """Return the frames after the checks that need no model."""
    frames = read_frames(reference.frames)
    n_beads = reference.read_mapping().n_beads
    if frames.positions.shape[1] != n_beads:
        raise DataError(
            f"{reference.frames} holds {frames.positions.shape[1]} beads, its mapping "
            f"{n_beads}. Make the reference again."
        )
    if reference.tica is not None:
        check_lag(frames, reference.tica)
    return frames
