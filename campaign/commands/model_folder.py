"""Which model of a run is meant, where each protein has models of its own."""

from dataclasses import replace
from pathlib import Path

from apps.science.errors import ConfigError
from campaign.layout.protein_dir import ProteinDir


def find_model(model: Path, protein: str | None) -> Path:
    """Return ``model``; that of ``protein`` where runs/<name>/models has none.

    Raises
    ------
    ConfigError
        If each protein of the run has one, and none of them is named.
    """
    folder = model.absolute()
    run = ProteinDir.at(folder.parent.parent)
    if model.exists() or not run.learns_each or run.model(folder.name) != folder:
        return model
    if protein not in run.proteins:
        found = "none is named" if protein is None else f"{protein} is none of them"
        raise ConfigError(
            f"{run.name} has models of each of its proteins, and {found}. Name one: "
            f"--protein {' or '.join(run.proteins)}."
        )
    return replace(run, protein=protein).model(folder.name)
