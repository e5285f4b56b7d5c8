"""Where the data lie of a campaign that learns a force field, protein by protein."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import yaml

from campaign.layout.run_dir import RunDir

PROTEINS: Final = "proteins"


@dataclass(frozen=True)
class ProteinDir(RunDir):
    """A run folder as it is seen from one of its proteins, or from the only one."""

    protein: str | None = None
    """Which one of a campaign of several; its data lie in proteins/<protein>/."""
    learns_each: bool = False
    """Whether each protein has a prior, a training set and models of its own."""

    @classmethod
    def at(cls, folder: Path) -> "ProteinDir":
        """Return the run that a folder is of: runs/<name>[/proteins/<protein>]."""
        folder = folder.absolute()
        run = cls(folder)
        if folder.parent.name == PROTEINS:
            run = cls(folder.parent.parent, folder.name)
        return replace(run, learns_each=_learns_each(run.resolved))

    @property
    def home(self) -> Path:
        """Where a protein's own data lie: the run folder, if there is but one."""
        return self.root / PROTEINS / self.protein if self.protein else self.root

    @property
    def proteins(self) -> list[str]:
        """Those of a campaign of several that have begun, by name."""
        return sorted(p.name for p in (self.root / PROTEINS).glob("*") if p.is_dir())

    def each_protein(self) -> list["ProteinDir"]:
        """Return the run of each protein that has begun; itself if there is but one."""
        if self.protein is not None or not self.proteins:
            return [self]
        return [replace(self, protein=name) for name in self.proteins]

    @property
    def learner(self) -> str | None:
        """The protein that models are learnt from alone; None where from all."""
        return self.protein if self.learns_each else None

    def each_learner(self) -> list["ProteinDir"]:
        """Return the run of each that models are learnt from: mostly this one."""
        return self.each_protein() if self.learns_each else [self]

    # data
    @property
    def system(self) -> Path:
        """Prepared structures, system.xml, topology."""
        return self.home / "system"

    @property
    def reference(self) -> Path:
        """Plain MD walks, TICA model and reference frames."""
        return self.home / "reference"

    def walk(self, index: int) -> Path:
        """Return one plain MD trajectory."""
        return self.reference / f"walk_{index:03d}.h5"

    @property
    def reference_frames(self) -> Path:
        """Bead frames of all walks."""
        return self.reference / "frames.h5"

    @property
    def tica(self) -> Path:
        """The TICA model."""
        return self.reference / "tica.npz"

    @property
    def we(self) -> Path:
        """The weighted-ensemble run that samples."""
        return self.home / "we"

    @property
    def segments(self) -> Path:
        """Ingested frames of the sampling run."""
        return self.home / "segments.h5"

    @property
    def mapping(self) -> Path:
        """Beads and force map."""
        return self.home / "cg" / "mapping.json"

    @property
    def prior(self) -> Path:
        """Fitted prior, one for all proteins that are learnt from together."""
        return self._learnt / "cg" / "prior.yaml"

    def beside_prior(self, name: str, variant: str = "") -> Path:
        """Return what a prior's fit says of this protein's data."""
        return self.home / "cg" / variant / name

    @property
    def dataset(self) -> Path:
        """Training set, likewise."""
        return self._learnt / "cg" / "dataset.h5"

    def model(self, name: str) -> Path:
        """Return the folder of one trained model."""
        return self._learnt / "models" / name

    def checkpoint(self, name: str) -> Path:
        """Return the best checkpoint of one model."""
        return self.model(name) / "checkpoints" / "best.pt"

    def benchmark(self, name: str) -> Path:
        """Return the folder of one model's benchmark: its WE run and metrics."""
        return self.home / "benchmark" / name

    @property
    def report(self) -> Path:
        """The page to look at."""
        return self.home / "report" / "index.html"

    @property
    def experiments(self) -> Path:
        """Tables of a campaign's experiments."""
        return self.root / "experiments"

    @property
    def _learnt(self) -> Path:
        return self.home if self.learns_each else self.root


def _learns_each(resolved: Path) -> bool:
    """Tell whether a campaign asked for models of each protein."""
    try:
        asked = yaml.safe_load(resolved.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return False
    return isinstance(asked, dict) and asked.get("learn") == "each"
