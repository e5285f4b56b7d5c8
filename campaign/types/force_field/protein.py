"""One protein of a campaign: its settings, its files, and the names of its stages."""

from dataclasses import dataclass
from pathlib import Path

from apps.science.systems.config import SystemConfig
from campaign.layout.protein_dir import ProteinDir
from campaign.stages.names import at_protein
from campaign.types.force_field.config import Config


@dataclass(frozen=True)
class Protein:
    """A protein of a force-field campaign.

    Attributes
    ----------
    name : None where it is the only one
    paths : of its own data
    """

    name: str | None
    system: SystemConfig
    paths: ProteinDir

    def stage(self, name: str) -> str:
        """Return what a stage is called for this protein: sample@chignolin."""
        return at_protein(name, self.name)


def list_proteins(root: Path, config: Config) -> list[Protein]:
    """Return the proteins of a campaign, in the order of its file."""
    learns_each = config.learn == "each"
    return [
        Protein(name, system, ProteinDir(root, name, learns_each))
        for name, system in config.systems.items()
    ]


def group_proteins(root: Path, config: Config) -> list[list[Protein]]:
    """Return the proteins in groups, of which each is learnt from together."""
    proteins = list_proteins(root, config)
    return [[one] for one in proteins] if config.learn == "each" else [proteins]
