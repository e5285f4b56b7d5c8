"""The one place that reads a training set, and the order its frames are drawn in.

Frames stay in the file: a batch is read from it when it is wanted (``FrameSet.read``),
by every rank for itself. On a GPU, a set that takes little of its memory is kept there.
"""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from apps.science.arrays import Array, IntArray
from apps.science.cg.dataset.file import (
    REMEDY,
    Weights,
    digest_molecule,
    open_dataset,
    read_text,
    read_weight,
    read_weights_kind,
)
from apps.science.cg.dataset.rows import MappedRows
from apps.science.cg.dataset.split import VALIDATION
from apps.science.errors import DataError, ShapeMismatchError
from apps.science.models.potentials._sequence import number_along_chains
from apps.science.seeds import derive_seed

_log = logging.getLogger(__name__)

_DEVICE_SHARE: Final = 0.25
"""Largest share of a GPU's free memory that a split of a protein may take."""
_CACHE_SHARE: Final = 0.5
"""Largest share of the available memory that frames are read ahead into."""
_ROWS_PER_COPY: Final = 1 << 16
_ROWS_PER_PART: Final = 1 << 12


class FrameSet:
    """Frames of one split of one protein.

    Parameters
    ----------
    positions, targets : rows of pos and delta, (n_stored, n_beads, 3)
    rows : (n_frames,), those of this split, in file order
    weight : (n_frames,), float64, the weights in use; any overall scale
    device : where batches go

    Attributes
    ----------
    weight : (n_frames,)
    """

    def __init__(
        self,
        positions: MappedRows,
        targets: MappedRows,
        rows: IntArray,
        weight: Array,
        device: str = "cpu",
    ) -> None:
        self.weight = weight
        self.device = device
        self._positions, self._targets, self._rows = positions, targets, rows
        self._resident = _fits(device, 2 * len(rows) * _row_bytes(positions))

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self._rows)

    @property
    def sources(self) -> tuple[MappedRows, MappedRows]:
        """Where positions and targets come from, of all splits."""
        return self._positions, self._targets

    def read(self, rows: "IntArray | Tensor") -> tuple[Tensor, Tensor]:
        """Return positions and targets of ``rows`` of this set, on its device.

        Each (len(rows), n_beads, 3), float32, Angstrom and kcal/mol/Angstrom.
        """
        if self._resident:
            index = torch.as_tensor(rows, device=self.device)
            return self.positions[index], self.targets[index]
        wanted = self._rows[np.asarray(rows)]
        return (
            torch.from_numpy(self._positions.read(wanted)).to(self.device),
            torch.from_numpy(self._targets.read(wanted)).to(self.device),
        )

    def parts(self) -> Iterator[Tensor]:
        """Yield all positions, (n, n_beads, 3) each, a part at a time, on the CPU."""
        for first in range(0, len(self), _ROWS_PER_PART):
            rows = self._rows[first : first + _ROWS_PER_PART]
            yield torch.from_numpy(self._positions.read(rows))

    @cached_property
    def positions(self) -> Tensor:
        """All positions at once, (n_frames, n_beads, 3), kept from then on."""
        return self._read_all(self._positions)

    @cached_property
    def targets(self) -> Tensor:
        """All targets at once, (n_frames, n_beads, 3), kept from then on."""
        return self._read_all(self._targets)

    def _read_all(self, source: MappedRows) -> Tensor:
        whole = torch.empty((len(self), *source.shape[1:]), device=self.device)
        for first in range(0, len(self), _ROWS_PER_COPY):
            part = source.read(self._rows[first : first + _ROWS_PER_COPY])
            whole[first : first + len(part)] = torch.from_numpy(part)
        return whole


@dataclass(frozen=True)
class Protein:
    """One molecule of a training set.

    Attributes
    ----------
    key : its name under /mol
    residues : one letter each, as far as they are known
    embeddings : (n_beads,), on the device
    sequence : (n_beads,), residue numbers along the chains (models._sequence), on the
        device; None where the set does not say
    prior_sha256 : of the prior.yaml that its targets were made with
    prior_yaml, mapping_json : what it was made with, empty in files of before
    """

    key: str
    residues: str
    embeddings: Tensor
    sequence: Tensor | None
    train: FrameSet
    validation: FrameSet
    prior_sha256: str
    prior_yaml: str
    mapping_json: str


@dataclass(frozen=True)
class TrainingData:
    """Everything that training reads.

    Attributes
    ----------
    proteins : in the order of their names
    weights : which weights are in use
    fingerprint : sha256 of all that decides a result: frames, targets, weights, split
    """

    proteins: Sequence[Protein]
    weights: Weights
    fingerprint: str

    @property
    def embeddings(self) -> Tensor:
        """Of the only protein, (n_beads,)."""
        return self._only.embeddings

    @property
    def sequence(self) -> Tensor | None:
        """Residue numbers of the only protein, (n_beads,)."""
        return self._only.sequence

    @property
    def train(self) -> FrameSet:
        """Training frames of the only protein."""
        return self._only.train

    @property
    def validation(self) -> FrameSet:
        """Validation frames of the only protein."""
        return self._only.validation

    @property
    def _only(self) -> Protein:
        if len(self.proteins) != 1:
            names = ", ".join(p.key for p in self.proteins)
            raise DataError(
                f"The dataset holds {len(self.proteins)} proteins ({names}) where one "
                "is expected. Train with a campaign that takes several."
            )
        return self.proteins[0]


def read_training_data(
    path: Path,
    device: str = "cpu",
    weights: Weights | None = None,
    prior_sha256: str | None = None,
) -> TrainingData:
    """Open dataset.h5; frames are read when batches are.

    Frames whose weight (of those in use) is zero are left out of both splits.

    Parameters
    ----------
    weights : in place of those that the dataset names
    prior_sha256 : of the prior that the model is to be used with, where it is known

    Raises
    ------
    DataError
        If the file is missing, damaged, of another schema or prior, has no frame to
        train on, or lacks the weights that are asked for.
    ShapeMismatchError
        If there are more or fewer weights than frames.
    """
    with open_dataset(path) as h5:
        kind = weights or read_weights_kind(h5)
        proteins = [
            _read_protein(h5["mol"][key], key, path, kind, device)
            for key in sorted(h5["mol"])
        ]
        digest = hashlib.sha256(kind.encode())
        for key in sorted(h5["mol"]):
            digest.update(f"{key}:{digest_molecule(h5['mol'][key])}".encode())
    if not proteins:
        raise DataError(f"{path} holds no molecule. Write the dataset again.")
    for protein in proteins:
        check_prior(protein, prior_sha256, path)
    _read_ahead(proteins)
    return TrainingData(proteins, kind, digest.hexdigest())


def check_prior(protein: Protein, prior_sha256: str | None, path: Path) -> None:
    """Refuse targets that were made with another prior.

    Raises
    ------
    DataError
        If both hashes are known and differ.
    """
    found = protein.prior_sha256
    if prior_sha256 and found and found != prior_sha256:
        raise DataError(
            f"The targets of {protein.key} in {path} were made with the prior "
            f"{found[:12]}, but the one in use is {prior_sha256[:12]} (sha256). Write "
            "the dataset again with this prior, or give back the prior it was made "
            "with."
        )


def _read_protein(
    group: Any, key: str, path: Path, kind: Weights, device: str
) -> Protein:
    weight = read_weight(group, key, path, kind)
    split = group["split"][:]
    used = weight > 0
    positions, targets = (MappedRows(group[name], path) for name in ("pos", "delta"))
    if not len(positions) == len(targets) == len(split) == len(weight):
        raise ShapeMismatchError(
            f"{path} holds {len(positions)} frames, {len(targets)} targets, "
            f"{len(weight)} weights and {len(split)} places in the split for {key}; "
            f"expected as many of each. It was altered. {REMEDY}"
        )
    sets = [
        FrameSet(positions, targets, rows, weight[rows], device)
        for rows in (
            np.flatnonzero(used & (split != VALIDATION)),
            np.flatnonzero(used & (split == VALIDATION)),
        )
    ]
    if not len(sets[0]):
        raise DataError(
            f"{path} has no training frame of {key} with a weight. Lower "
            "dataset.split_fraction or dataset.weight_cutoff."
        )
    _log.info(
        "dataset: %s, %d training and %d validation frames, %s weights",
        key, len(sets[0]), len(sets[1]), kind,
    )  # fmt: skip
    facts = {**group.file["meta"].attrs, **group.attrs}
    return Protein(
        key,
        str(facts.get("sequence", "")),
        torch.as_tensor(group["z"][:], device=device),
        _read_sequence(group, device),
        sets[0],
        sets[1],
        str(facts.get("prior_sha256", "")),
        read_text(group, "prior_yaml"),
        read_text(group, "mapping_json"),
    )


def _read_ahead(proteins: Sequence[Protein]) -> None:
    """Have the frames brought into the page cache, if that leaves room for others."""
    import psutil

    rows = [rows for protein in proteins for rows in protein.train.sources]
    room = _CACHE_SHARE * psutil.virtual_memory().available
    if sum(one.n_bytes for one in rows) < room:
        for one in rows:
            one.read_ahead()


def _read_sequence(group: Any, device: str) -> Tensor | None:
    if "resid" not in group or "bonds" not in group:
        return None
    resids, bonds = group["resid"][:].tolist(), group["bonds"][:].tolist()
    return torch.tensor(number_along_chains(resids, bonds), device=device)


def _row_bytes(rows: MappedRows) -> int:
    return int(np.prod(rows.shape[1:], dtype=int)) * 4


def _fits(device: str, n_bytes: int) -> bool:
    """Tell whether a GPU has room to keep so much."""
    if not device.startswith("cuda"):
        return False
    free, _ = torch.cuda.mem_get_info(torch.device(device))
    return n_bytes < _DEVICE_SHARE * free


def order_batches(
    n_frames: int,
    batch_size: int,
    seed: int,
    epoch: int,
    probability: Array | None = None,
) -> list[IntArray]:
    """Return the frame numbers of every batch of an epoch, alike on every process.

    The order depends on (seed, epoch) alone, so a resumed run draws the same frames.
    Batches differ in size by one at most: none is so small that its mean is noise.

    Parameters
    ----------
    probability : (n_frames,), to draw with replacement; None for each frame once
    """
    rng = np.random.default_rng(derive_seed(seed, "frame order", epoch))
    if probability is None:
        order = rng.permutation(n_frames)
    else:
        order = rng.choice(n_frames, n_frames, p=probability)
    return list(np.array_split(order, -(-n_frames // batch_size)))
