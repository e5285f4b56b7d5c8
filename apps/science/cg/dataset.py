"""The training set: bead positions, forces, what the prior leaves, weights, split.

Schema ``weft-dataset-1`` (HDF5). ``/meta`` attributes: schema, units, temperature,
kB, force map, prior hash, embedding map, which weights. ``/mol/<id>/``: z, resid,
bonds, mass; pos, force_cg, force_prior, delta (F, N, 3) float32; weight (F) float64,
raw WE weights; n_iter, seg_id, frame, parent, root; split (0 train, 1 validation).
"""

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import h5py
import numpy as np
from pydantic import Field

from apps.science.arrays import Array, IntArray
from apps.science.cg.beads import BACKBONE_EMBEDDING, RESIDUE_EMBEDDING
from apps.science.cg.dataset_split import VALIDATION, assign_split
from apps.science.cg.delta_forces import compute_delta_forces
from apps.science.cg.mapping import Mapping, read_mapping
from apps.science.config_base import StrictConfig
from apps.science.errors import DataError, NumericalError, WeightError
from apps.science.files import atomic_path, hash_file
from apps.science.segments.store import PER_FRAME, iterate_frames, open_store
from apps.science.units import KB_KCAL_PER_MOL_K

if TYPE_CHECKING:
    from apps.science.cg.prior_terms import Prior

_log = logging.getLogger(__name__)

SCHEMA: Final = "weft-dataset-1"
MOLECULE: Final = "0"
_VECTORS: Final = ("pos", "force_cg", "force_prior", "delta")
_TOLERANCE: Final = 1e-6


class DatasetConfig(StrictConfig):
    """Which frames enter the training set, and which of them validate."""

    weight_cutoff: float = Field(
        0.0, ge=0, lt=1, description="Frames of smaller weight are left out."
    )
    split_fraction: float = Field(
        0.1, ge=0, lt=1, description="Share of frames that validate."
    )
    burn_in_iterations: int = Field(
        0, ge=0, description="First iterations that are left out."
    )


def write_dataset(
    segments: Path,
    mapping: Path,
    prior: Path,
    config: DatasetConfig,
    seed: int,
    out: Path,
) -> Path:
    """Map every frame to beads and write what the prior leaves to learn.

    Parameters
    ----------
    segments, mapping, prior : segments.h5, mapping.json, prior.yaml
    seed : decides the split

    Raises
    ------
    WeightError
        If an iteration's weights do not sum to one before the cutoff.
    DataError
        If no frame is left.
    NumericalError
        If a force is not finite.
    """
    from apps.science.cg.priors import read_prior

    beads = read_mapping(mapping)
    rows = _read_rows(segments)
    check_weights(rows["weight"], rows["n_iter"], rows["frame"], _read_lost(segments))
    keep = _choose_frames(rows, config)
    split, how = assign_split(
        rows["n_iter"][keep], rows["root"][keep], config.split_fraction, seed
    )
    with atomic_path(out) as temporary, h5py.File(temporary, "w") as h5:
        _write_meta(h5, beads, prior, how)
        group = _create_molecule(h5, beads, int(keep.sum()))
        for name in PER_FRAME:
            group.create_dataset(name, data=rows[name][keep])
        group.create_dataset("split", data=split)
        _write_vectors(group, segments, keep, beads, read_prior(prior, beads))
    _log.info(
        "dataset: %d training and %d validation frames, split by %s",
        int((split != VALIDATION).sum()), int((split == VALIDATION).sum()), how,
    )  # fmt: skip
    return out


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


def check_weights(
    weight: Array, n_iter: IntArray, frame: IntArray, lost: Array
) -> None:
    """Require that each iteration's weights sum to one, at every saved frame.

    Parameters
    ----------
    weight, n_iter, frame : (n_frames,)
    lost : (last_iter,), mass that ingestion left out; empty for none

    Raises
    ------
    WeightError
        If one does not, or a weight is negative or not finite.
    """
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise WeightError(
            "Frame weights must be finite and not negative; found "
            f"{np.nanmin(weight):g} to {np.nanmax(weight):g}. Ingest the run again."
        )
    iterations, which = np.unique(n_iter, return_inverse=True)
    frames, when = np.unique(frame, return_inverse=True)
    mass = np.zeros((len(iterations), len(frames)))
    np.add.at(mass, (which, when), weight)
    if len(lost):
        mass += lost[np.minimum(iterations - 1, len(lost) - 1)][:, None]
    away = np.abs(mass - 1.0).max(axis=1)
    if away.max() > _TOLERANCE:
        worst = int(away.argmax())
        raise WeightError(
            f"The weights of iteration {iterations[worst]} sum to "
            f"{mass[worst][np.abs(mass[worst] - 1.0).argmax()]:.9f}; expected 1 within "
            "1e-6. Its frames and weights do not belong together: ingest it again."
        )


def _choose_frames(rows: dict[str, np.ndarray], config: DatasetConfig) -> np.ndarray:
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
    lost = (mass - weight[keep].sum()) / mass
    _log.info(
        "dataset: %d of %d frames kept, cutoff %g discards mass %.3g",
        int(keep.sum()), len(weight), config.weight_cutoff, max(lost, 0.0),
    )  # fmt: skip
    return keep


def _write_meta(h5: h5py.File, mapping: Mapping, prior: Path, split_by: str) -> None:
    from apps.science.cg.prior_yaml import read_tables

    temperature = read_tables(prior).temperature_kelvin
    meta = h5.create_group("meta")
    meta.attrs.update(
        {
            "schema": SCHEMA,
            "units": "Angstrom, kcal/mol/Angstrom, amu, K",
            "temperature_kelvin": np.nan if temperature is None else temperature,
            "kB_kcal_per_mol_K": KB_KCAL_PER_MOL_K,
            "force_map": mapping.force_map,
            "beads": mapping.kind,
            "prior_sha256": hash_file(prior),
            "embedding_map": json.dumps(RESIDUE_EMBEDDING | BACKBONE_EMBEDDING),
            "weights": "raw WE",
            "split_by": split_by,
        }
    )


def _create_molecule(h5: h5py.File, mapping: Mapping, n_frames: int) -> Any:
    group = h5.create_group(f"mol/{MOLECULE}")
    group.create_dataset("z", data=np.array(mapping.embeddings, dtype=np.int64))
    group.create_dataset("resid", data=np.array(mapping.resids, dtype=np.int64))
    group.create_dataset("mass", data=np.array(mapping.masses_amu))
    bonds = np.array(mapping.bonds, dtype=np.int64).reshape(-1, 2)
    group.create_dataset("bonds", data=bonds)
    shape = (n_frames, mapping.n_beads, 3)
    for name in _VECTORS:
        group.create_dataset(name, shape, "f4")
    return group


def _write_vectors(
    group: Any, segments: Path, keep: np.ndarray, mapping: Mapping, prior: "Prior"
) -> None:
    import torch

    read = written = 0
    for batch in iterate_frames(segments):
        chosen = keep[read : read + len(batch["weight"])]
        read += len(chosen)
        if not chosen.any():
            continue
        forces = batch["forces"][chosen].astype(float)
        position = mapping.map_positions(batch["positions"][chosen])
        _, pull = prior.energy_and_forces(torch.as_tensor(position))
        values = {
            "pos": position,
            "force_cg": mapping.map_forces(forces),
            "force_prior": pull.numpy(),
            "delta": compute_delta_forces(forces, mapping.force_matrix, pull.numpy()),
        }
        bad = ~np.isfinite(values["delta"]).all(axis=(1, 2))
        if bad.any():
            raise NumericalError(
                f"{int(bad.sum())} frames of {segments} near row {read - len(chosen)} "
                "have a force that is not finite. Find the segment and sample it again."
            )
        last = written + int(chosen.sum())
        for name, value in values.items():
            group[name][written:last] = value
        written = last
