"""What can be judged: a model's own dynamics, the all-atom engine, or given frames.

Each kind answers two calls: ``check`` finds at once what cannot work, before anything
is simulated, and ``make_frames`` gives its weighted bead frames from time zero.
"""

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from apps.science.benchmark.model_run import read_passage
from apps.science.benchmark.plain_dynamics import RunSettings, simulate
from apps.science.benchmark.reference_set import ReferenceSet
from apps.science.cg.dataset.brought_frames import bring_frames
from apps.science.cg.mapping.mapping import Mapping
from apps.science.errors import ConfigError, DataError, ShapeMismatchError
from apps.science.metrics.conformations.base import Passage, ProjectsFrames
from apps.science.seeds import derive_seed
from apps.science.segments.frames import WeightedFrames, read_frames
from apps.science.units import FS_PER_PS
from apps.science.we.spec import read_spec

if TYPE_CHECKING:
    from apps.science.propagators._packed import ComputesForces

log = logging.getLogger(__name__)

N_LINEAGES_PER_WALK = 10


class Judged(Protocol):
    """One thing to judge."""

    def check(self, reference: ReferenceSet) -> None:
        """Raise where it cannot be compared with this reference."""
        ...

    def make_frames(
        self, reference: ReferenceSet, settings: RunSettings, folder: Path
    ) -> WeightedFrames:
        """Return its frames from time zero; files of its own go to ``folder``."""
        ...


@dataclass(frozen=True)
class GivenFrames:
    """A set of bead frames that weft wrote (frames.h5)."""

    path: Path

    def check(self, reference: ReferenceSet) -> None:
        """Check its beads."""
        found = read_frames(self.path).positions.shape[1]
        expected = reference.read_mapping().n_beads
        if found != expected:
            raise ShapeMismatchError(
                f"{self.path} has {found} beads, the reference {expected}: it is of "
                "another protein or another choice of beads. Give frames made with "
                "the same mapping."
            )

    def make_frames(
        self, reference: ReferenceSet, settings: RunSettings, folder: Path
    ) -> WeightedFrames:
        """Read them."""
        return read_frames(self.path)

    def read_passage(
        self, tica: ProjectsFrames, burn_in_fraction: float
    ) -> Passage | None:
        """Return what arrived at the targets of the WE run that the frames are of.

        None where they lie beside no such run, or it has no targets.
        """
        folder = self.path.parent
        if not (folder / "propagation.json").is_file():
            return None
        asked = read_spec(folder / "propagation.json").propagator
        tau_ps = asked["timestep_fs"] * asked["n_steps"] / FS_PER_PS
        return read_passage(folder, tica, tau_ps, burn_in_fraction)


@dataclass(frozen=True)
class GivenTrajectory:
    """A trajectory from elsewhere, with weights or without."""

    path: Path
    weights: Path | None = None
    topology: Path | None = None
    interval_ps: float | None = None

    def check(self, reference: ReferenceSet) -> None:
        """Read it, which finds whatever is wrong with it."""
        self._read(reference)

    def make_frames(
        self, reference: ReferenceSet, settings: RunSettings, folder: Path
    ) -> WeightedFrames:
        """Map it to the reference's beads."""
        return self._read(reference)

    def _read(self, reference: ReferenceSet) -> WeightedFrames:
        return bring_frames(
            [self.path], reference.read_mapping(), f"trajectory {self.path.name}",
            self.topology or reference.topology, self.weights, self.interval_ps,
        )  # fmt: skip


class _Simulated(ABC):
    """A force field that is judged by its own dynamics; subclasses load it."""

    @abstractmethod
    def _load(self, reference: ReferenceSet, device: str) -> "ComputesForces":
        """Return it for the reference's beads; raise where it is not for them."""

    def check(self, reference: ReferenceSet) -> None:
        """Load it once before anything is simulated."""
        self._load(reference, "cpu")

    def make_frames(
        self, reference: ReferenceSet, settings: RunSettings, folder: Path
    ) -> WeightedFrames:
        """Simulate it."""
        return simulate(self._load(reference, settings.device), reference, settings)


@dataclass(frozen=True)
class TrainedModel(_Simulated):
    """A checkpoint, which holds its prior and mapping; ``prior`` serves older ones."""

    checkpoint: Path
    prior: Path | None = None

    def _load(self, reference: ReferenceSet, device: str) -> "ComputesForces":
        from apps.science.cg.checkpoint import read_checkpoint
        from apps.science.cg.force_field import load_checkpoint, load_force_field
        from apps.science.device import choose_device

        mapping = reference.read_mapping()
        known = {
            name: facts["mapping_json"]
            for name, facts in read_checkpoint(self.checkpoint)["proteins"].items()
            if facts["prior_yaml"] and facts["mapping_json"]
        }
        place = choose_device(device)
        if not known and self.prior is not None:
            return load_force_field(
                self.prior, reference.mapping, self.checkpoint, place
            )
        for name, text in known.items():
            if same_beads(Mapping.model_validate_json(text), mapping):
                return load_checkpoint(self.checkpoint, name, place)
        if not known:
            raise DataError(
                f"{self.checkpoint} does not hold its prior. Give the prior.yaml of "
                "its training with --prior."
            )
        raise ShapeMismatchError(
            f"{self.checkpoint} is of {describe_proteins(known)}; the reference is of "
            f"{mapping.n_beads} {mapping.kind} beads, {describe_beads(mapping)}. Give "
            "a model of this protein with these beads, or another reference."
        )


@dataclass(frozen=True)
class PublishedModel(_Simulated):
    """A checkpoint of torchmd-net with its prior; ``psf`` names its beads.

    Without a PSF its beads are those of the reference.
    """

    checkpoint: Path
    prior: Path | None = None
    psf: Path | None = None

    def _load(self, reference: ReferenceSet, device: str) -> "ComputesForces":
        from apps.science.cg.published.force_field import (
            check_same_beads,
            load_published,
        )
        from apps.science.device import choose_device

        mapping = reference.read_mapping()
        if self.psf is not None:
            check_same_beads(self.psf, mapping)
        return load_published(
            self.checkpoint, self.prior, self.psf or mapping, choose_device(device)
        )


@dataclass(frozen=True)
class PriorAlone(_Simulated):
    """A prior without a network: what training has to improve."""

    prior: Path

    def _load(self, reference: ReferenceSet, device: str) -> "ComputesForces":
        from apps.science.cg.force_field import load_force_field
        from apps.science.device import choose_device

        place = choose_device(device)
        return load_force_field(self.prior, reference.mapping, None, place)


@dataclass(frozen=True)
class GoModel(_Simulated):
    """A structure-based model of the native structure (cg/go_model.py)."""

    epsilon_kcal_per_mol: float = 1.0

    def _load(self, reference: ReferenceSet, device: str) -> "ComputesForces":
        from apps.science.cg.prior.go_model import GoForceField, fit_go_model
        from apps.science.device import choose_device

        native = reference.read_native()
        if native is None:
            raise ConfigError(
                "A Gō model is made of the native structure, and none is known. Give "
                "it with --native."
            )
        mapping = reference.read_mapping()
        parameters = fit_go_model(mapping, native, self.epsilon_kcal_per_mol)
        return GoForceField(parameters, mapping, choose_device(device))


@dataclass(frozen=True)
class AllAtomEngine:
    """The all-atom engine itself: a test of the benchmark, which must find it good."""

    system: Path
    n_walks: int = 2
    platform: str = "auto"

    def check(self, reference: ReferenceSet) -> None:
        """Check that the system has the atoms that the beads are made of."""
        from apps.science.systems.info import read_system_info

        found = len(read_system_info(self.system).recorded_atoms)
        expected = reference.read_mapping().n_atoms
        if found != expected:
            raise ShapeMismatchError(
                f"{self.system} records {found} atoms, the reference's mapping is of "
                f"{expected}. Give the system that the reference was made of."
            )

    def make_frames(
        self, reference: ReferenceSet, settings: RunSettings, folder: Path
    ) -> WeightedFrames:
        """Run walks of it and map them to beads."""
        from apps.science.benchmark.reference import collect_reference, run_walk

        seed = derive_seed(settings.seed, "all-atom")
        walks = [
            run_walk(
                self.system, k, k, settings.n_ps, settings.frame_interval_ps, seed,
                folder / f"walk_{k:03d}.h5", self.platform,
            )
            for k in range(self.n_walks)
        ]  # fmt: skip
        block_ps = settings.n_ps / N_LINEAGES_PER_WALK
        out = folder / "walks.h5"
        return read_frames(collect_reference(walks, reference.mapping, out, block_ps))


def same_beads(one: Mapping, other: Mapping) -> bool:
    """Say whether two mappings have the same beads of the same residues in a row."""
    keys = ("names", "types", "resnames", "embeddings", "bonds")
    return all(getattr(one, k) == getattr(other, k) for k in keys)


def describe_beads(mapping: Mapping) -> str:
    """Return the residues as a person would know them again."""
    residues = list(
        dict.fromkeys(
            zip(mapping.chains, mapping.resids, mapping.resnames, strict=True)
        )
    )
    names = [name for _, _, name in residues]
    shown = names if len(names) <= 8 else [*names[:4], "...", *names[-3:]]
    return "-".join(shown)


def describe_proteins(known: dict[str, Any]) -> str:
    """Return the proteins of a checkpoint in words."""
    listed = []
    for name, text in known.items():
        mapping = Mapping.model_validate_json(text)
        what = f"{mapping.n_beads} {mapping.kind} beads, {describe_beads(mapping)}"
        listed.append(f"{name} ({what})")
    return "; ".join(listed)
