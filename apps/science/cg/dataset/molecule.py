"""One protein of a training set: its frames pass through in batches, shards to file."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.cg.dataset.delta_forces import LinearMap, subtract_prior
from apps.science.cg.dataset.file import (
    ContentDigest,
    VectorWriter,
    Weights,
    create_vectors,
)
from apps.science.cg.dataset.split import VALIDATION, assign_split
from apps.science.cg.dataset.weight_checks import check_weights
from apps.science.cg.dataset.weights import read_equilibrium, report
from apps.science.cg.mapping.mapping import Mapping, read_mapping
from apps.science.cg.mapping.spelling import spell
from apps.science.errors import DataError, NumericalError
from apps.science.files import hash_file
from apps.science.segments.store import PER_FRAME, iterate_frames, open_store

if TYPE_CHECKING:
    from apps.science.cg.prior.terms import Prior

_log = logging.getLogger(__name__)

_FRAMES_AT_ONCE = 128


@dataclass(frozen=True)
class Source:
    """What a molecule is made of: segments.h5, mapping.json, prior.yaml."""

    name: str
    segments: Path
    mapping: Path
    prior: Path


@dataclass(frozen=True)
class Choice:
    """Which frames are taken, which of them validate, and which weights are used."""

    weights: Weights = "raw"
    weight_cutoff: float = 0.0
    split_fraction: float = 0.1
    burn_in_iterations: int = 0


def write_molecule(parent: Any, source: Source, choice: Choice, seed: int) -> Any:
    """Map every frame to beads and write what the prior leaves; return the group.

    Parameters
    ----------
    parent : the open group ``/mol``
    seed : decides the split
    """
    from apps.science.cg.prior.priors import read_prior

    segments = source.segments
    beads = read_mapping(source.mapping)
    rows = _read_rows(segments)
    check_weights(rows["weight"], rows["n_iter"], rows["frame"], _read_lost(segments))
    equilibrium = read_equilibrium(segments, required=choice.weights == "equilibrium")
    keep, lost = _choose_frames(rows, choice)
    equilibrium = equilibrium.take(keep)
    report(rows["weight"][keep], equilibrium, choice.weights)
    split, how = assign_split(
        rows["n_iter"][keep], rows["root"][keep], choice.split_fraction, seed
    )
    group = _create_molecule(parent, beads, source.name, int(keep.sum()))
    _describe(group, beads, source.prior, choice, how)
    group.attrs["n_source_frames"] = len(keep)
    group.attrs["discarded_mass"] = lost
    group["mapping_json"] = source.mapping.read_text(encoding="utf-8")
    group["prior_yaml"] = source.prior.read_text(encoding="utf-8")
    digest = ContentDigest()
    for name in PER_FRAME:
        _write_column(group, name, rows.pop(name)[keep], digest)
    _write_column(group, "split", split, digest)
    equilibrium.write(group, digest)
    prior = read_prior(source.prior, beads)
    _write_vectors(group, segments, keep, beads, prior, digest)
    group.attrs["digest"] = digest.hexdigest()
    _log.info(
        "dataset: %s: %d training and %d validation frames, split by %s", source.name,
        int((split != VALIDATION).sum()), int((split == VALIDATION).sum()), how,
    )  # fmt: skip
    return group


def _read_rows(segments: Path) -> dict[str, np.ndarray]:
    with open_store(segments) as h5:
        rows = {name: h5[name][:] for name in PER_FRAME}
    if not len(rows["weight"]):
        raise DataError(
            f"{segments} holds no frame. Run the sampling and ingest stages first."
        )
    return rows


def _read_lost(segments: Path) -> Array:
    """Return the mass that ingestion left out of each iteration, from the first."""
    with open_store(segments) as h5:
        lost = h5["discarded_mass"][:] if "discarded_mass" in h5 else np.zeros(0)
    return np.asarray(lost, dtype=float)


def _choose_frames(
    rows: dict[str, np.ndarray], config: Choice
) -> tuple[np.ndarray, float]:
    """Return which frames to keep, and the share of weight that is left out."""
    weight = rows["weight"]
    late = rows["n_iter"] > config.burn_in_iterations
    keep: np.ndarray = late & (weight >= config.weight_cutoff) & (weight > 0)
    if not keep.any():
        raise DataError(
            f"No frame is left of {len(weight)}: burn_in_iterations is "
            f"{config.burn_in_iterations}, weight_cutoff {config.weight_cutoff:g}, the "
            f"largest weight {weight.max():g}. Lower the cutoff or the burn-in."
        )
    mass = weight[late].sum()
    lost = max(0.0, float((mass - weight[keep].sum()) / mass))
    _log.info(
        "dataset: %d of %d frames kept, cutoff %g discards mass %.3g",
        int(keep.sum()), len(weight), config.weight_cutoff, lost,
    )  # fmt: skip
    return keep, lost


def _describe(
    group: Any, mapping: Mapping, prior: Path, config: Choice, split_by: str
) -> None:
    from apps.science.cg.prior.torchmd_yaml import read_tables

    temperature = read_tables(prior).temperature_kelvin
    group.attrs.update(
        {
            "sequence": spell(mapping),
            "beads": mapping.kind,
            "force_map": mapping.force_map,
            "temperature_kelvin": np.nan if temperature is None else temperature,
            "prior_sha256": hash_file(prior),
            "burn_in_iterations": config.burn_in_iterations,
            "weight_cutoff": config.weight_cutoff,
            "split_by": split_by,
        }
    )


def _create_molecule(parent: Any, mapping: Mapping, name: str, n_frames: int) -> Any:
    group = parent.create_group(name)
    group.create_dataset("z", data=np.array(mapping.embeddings, dtype=np.int64))
    group.create_dataset("resid", data=np.array(mapping.resids, dtype=np.int64))
    group.create_dataset("mass", data=np.array(mapping.masses_amu))
    bonds = np.array(mapping.bonds, dtype=np.int64).reshape(-1, 2)
    group.create_dataset("bonds", data=bonds)
    group.attrs["n_frames"] = n_frames
    create_vectors(group, n_frames, mapping.n_beads)
    return group


def _write_column(
    group: Any, name: str, values: np.ndarray, digest: ContentDigest
) -> None:
    group.create_dataset(name, data=values)
    digest.add(name, values)


def _write_vectors(
    group: Any,
    segments: Path,
    keep: np.ndarray,
    mapping: Mapping,
    prior: "Prior",
    digest: ContentDigest,
) -> None:
    from apps.science.cg.dataset.frame_checks import FrameCheck

    to_beads = LinearMap(mapping.coordinate_matrix)
    force_map = LinearMap(mapping.force_matrix)
    check = FrameCheck(mapping)
    writer = VectorWriter(group, digest)
    read = 0
    for whole in iterate_frames(segments, columns=("n_iter", "seg_id", "frame")):
        chosen = keep[read : read + len(whole["frame"])]
        read += len(chosen)
        if not chosen.any():
            continue
        batch = whole
        if not chosen.all():
            batch = {name: values[chosen] for name, values in whole.items()}
        position = to_beads.apply(batch["positions"])
        if check.n_frames == 0 or _is_suspicious(batch):
            check.add(batch, position)
        pull = _compute_prior_forces(prior, position)
        force = force_map.apply(batch["forces"])
        values = {
            "pos": position,
            "force_cg": force,
            "force_prior": pull,
            "delta": subtract_prior(force, pull),
        }
        _check_finite(values["delta"], batch)
        writer.add(values)
    check.finish()


def _compute_prior_forces(prior: "Prior", positions: Array) -> Array:
    """Return the prior's forces, (n_frames, n_beads, 3), kcal/mol/Angstrom.

    A few frames at a time: larger aligned temporaries leave holes in the heap of glibc
    before 2.38, and memory grew to 3 GiB over 10^6 frames of 10 beads.
    """
    import torch

    parts = torch.split(torch.as_tensor(positions), _FRAMES_AT_ONCE)
    forces = [prior.energy_and_forces(part)[1] for part in parts]
    return np.asarray(torch.cat(forces).numpy())


def _is_suspicious(batch: dict[str, Array]) -> bool:
    """Tell whether a frame may have no forces, or what is not a number.

    Ten times cheaper than the check that finds it and says so.
    """
    squares = np.einsum("fai,fai->f", batch["forces"], batch["forces"])
    total = np.einsum("fai->f", batch["positions"])
    return not (np.isfinite(total).all() and np.isfinite(squares).all()) or bool(
        (squares == 0.0).any()
    )


def _check_finite(delta: Array, batch: dict[str, IntArray]) -> None:
    """Require finite targets; frames and forces are finite by now, the prior's not."""
    bad = np.flatnonzero(~np.isfinite(delta).all(axis=(1, 2)))
    if len(bad):
        row = int(bad[0])
        raise NumericalError(
            f"The prior's force is not finite in {len(bad)} frames; the first is frame "
            f"{batch['frame'][row]} of segment {batch['seg_id'][row]} in iteration "
            f"{batch['n_iter'][row]}. Two of its beads lie upon each other: look at "
            "that frame, and sample its segment again."
        )
