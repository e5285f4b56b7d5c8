"""The proteins that a prior is fitted to: their frames, counted with their weights."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from apps.science.arrays import Array
from apps.science.cg.dataset.file import Weights
from apps.science.cg.dataset.weights import read_equilibrium
from apps.science.cg.mapping.mapping import Mapping, read_mapping
from apps.science.cg.mapping.spelling import spell_beginning
from apps.science.cg.prior.tables import PriorTables
from apps.science.errors import DataError, WeftError

if TYPE_CHECKING:
    from apps.science.cg.prior.counts import FitSettings, PriorCounts


@dataclass(frozen=True)
class PriorSource:
    """One protein: segments.h5 and mapping.json.

    Attributes
    ----------
    report : where ``prior_fit.json`` goes, its data against the fit; None: nowhere
    """

    segments: Path
    mapping: Path
    report: Path | None = None


@dataclass(frozen=True)
class Protein:
    """A source with its beads."""

    source: PriorSource
    mapping: Mapping

    @property
    def name(self) -> str:
        """What a person knows it by: first residues, and where its mapping lies."""
        return f"{spell_beginning(self.mapping)} ({self.source.mapping})"


def read_proteins(sources: Sequence[PriorSource]) -> list[Protein]:
    """Read the beads of every protein.

    Raises
    ------
    DataError
        If there is none, or their beads are not of one kind.
    """
    if not sources:
        raise DataError("A prior needs the frames of a protein; none was named.")
    proteins = [Protein(source, read_mapping(source.mapping)) for source in sources]
    first = proteins[0]
    for other in proteins[1:]:
        if other.mapping.kind != first.mapping.kind:
            raise DataError(
                f"{other.name} has {other.mapping.kind} beads, {first.name} has "
                f"{first.mapping.kind}. One prior needs beads of one kind: give both "
                "the same mapping.beads."
            )
    return proteins


@contextmanager
def naming(protein: Protein, proteins: Sequence[Protein]) -> Iterator[None]:
    """Name the protein in what is raised, where there are several."""
    try:
        yield
    except WeftError as error:
        if len(proteins) == 1:
            raise
        raise type(error)(f"{protein.name}: {error}") from error


def count_frames(
    protein: Protein, structure: PriorTables, settings: "FitSettings", weights: Weights
) -> "PriorCounts":
    """Check every frame of a protein and count it.

    Raises
    ------
    DataError
        If frames cannot be learnt from, or equilibrium weights are asked for and there
        are none (WeightError).
    NumericalError
        If a coordinate or force is not finite; the frame is named.
    """
    from apps.science.cg.dataset.frame_checks import FrameCheck, check_store
    from apps.science.cg.prior.counts import PriorCounts
    from apps.science.segments.store import iterate_frames

    segments, mapping = protein.source.segments, protein.mapping
    check_store(segments, mapping)
    equilibrium = None
    if weights == "equilibrium":
        equilibrium = read_equilibrium(segments, required=True).weight
    counts, check = PriorCounts(mapping, structure, settings), FrameCheck(mapping)
    for batch in iterate_frames(segments):
        beads = mapping.map_positions(batch["positions"])
        weight, first = batch["weight"], check.n_frames
        if equilibrium is not None:
            weight = equilibrium[first : first + len(weight)]
        check.add(batch, beads)
        counts.add(beads, weight)
    check.finish()
    return counts


def starting_frames(protein: Protein, n: int) -> Array:
    """Return up to ``n`` frames over the whole run, (n, n_beads, 3), Angstrom."""
    from apps.science.segments.store import open_store

    with open_store(protein.source.segments) as h5:
        rows = np.unique(np.linspace(0, len(h5["weight"]) - 1, n).astype(int))
        atoms = h5["positions"][rows]
    return protein.mapping.map_positions(atoms)
