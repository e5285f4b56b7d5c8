"""One protein of a campaign: its settings, its files, and the names of its stages."""

from dataclasses import dataclass, replace

from apps.science.systems.config import SystemConfig
from campaign.context import Context
from campaign.layout import RunDir
from campaign.stage_names import at_protein
from campaign.types._force_field_config import Config


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
    paths: RunDir

    def stage(self, name: str) -> str:
        """Return what a stage is called for this protein: sample@chignolin."""
        return at_protein(name, self.name)


def list_proteins(ctx: Context, config: Config) -> list[Protein]:
    """Return the proteins of a campaign, in the order of its file."""
    return [
        Protein(name, system, replace(ctx.paths, protein=name))
        for name, system in config.systems.items()
    ]
