"""Refuse chains whose beads are too few for what is asked, before anything is run."""

import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from apps.science.cg.mapping.config import MappingConfig
from apps.science.errors import ConfigError, StructureError
from apps.science.pcoords.base import PcoordConfig, Recorded
from apps.science.systems.config import SystemConfig
from apps.science.systems.size import estimate_size
from campaign.stages.learning_config import LearningConfig, TicaConfig

_LEAST_BEADS: Final = {
    ("distances", 1): 4, ("dihedrals", 1): 4, ("distances", 2): 5, ("dihedrals", 2): 4
}  # fmt: skip
"""For so many slow coordinates: 5 beads have 3 distances, 4 a cosine and a sine."""


def check_beads(config: LearningConfig, system: SystemConfig, where: str) -> None:
    """Check that a protein has the beads that its coordinates and models need.

    Raises
    ------
    ConfigError
        If it has too few, or not those that a model is made for.
    StructureError
        If a residue has no bead.
    """
    check_joined(config)
    try:
        n_beads = count_beads(system, config.mapping)
    except (ConfigError, StructureError):
        if _may_mean_hydrogens(config.mapping):
            return  # they are added when the system is prepared
        raise
    kind = config.mapping.beads or system.beads
    named = f"{kind} beads" if isinstance(kind, str) else "beads"
    check_count(n_beads, named, config.tica, where)
    check_models(config, n_beads, named, where)


def check_models(config: LearningConfig, n_beads: int, named: str, where: str) -> None:
    """Refuse a model that is made for another number of beads."""
    for variant in config.variants:
        wanted = getattr(variant.model, "n_beads", n_beads)
        if variant.model.of_one_size and wanted != n_beads:
            raise ConfigError(
                f"{where} has {n_beads} {named}, but the model {variant.name} is for "
                f"{wanted}. Set its n_beads to {n_beads}."
            )


def check_joined(config: LearningConfig) -> None:
    """Refuse to join what is not there.

    Raises
    ------
    ConfigError
        If a path of dataset.join leads nowhere.
    """
    for variant in config.variants:
        for path in variant.dataset.join:
            if not path.exists():
                raise ConfigError(
                    f"dataset.join: {path} does not exist. Give a run folder or a "
                    "dataset.h5."
                )


def check_count(
    n_beads: int, named: str, tica: TicaConfig, where: str, n_dim: int = 2
) -> None:
    """Refuse beads too few for ``n_dim`` slow coordinates."""
    least = _LEAST_BEADS[tica.features, n_dim]
    if n_beads >= least:
        return
    enough = n_beads >= _LEAST_BEADS["dihedrals", n_dim]
    other = " or take tica.features: dihedrals," if enough else ""
    raise ConfigError(
        f"{where} has {n_beads} {named}. Slow coordinates of {tica.features} need "
        f"{least} or more. Use finer beads (beads: backbone, or mapping.beads),{other} "
        "or a longer chain."
    )


def check_pcoord(
    pcoord: PcoordConfig, system: SystemConfig, mapping: MappingConfig
) -> None:
    """Check that a protein has what a progress coordinate looks at.

    Raises
    ------
    ConfigError
        If it has not.
    """
    try:
        n_beads = count_beads(system, mapping)
    except (ConfigError, StructureError):
        if not _may_mean_hydrogens(mapping):
            raise
        n_beads = sys.maxsize
    topology = build_heavy_topology(system)
    n_atoms = estimate_size(system).n_solute
    try:
        pcoord.check(Recorded(topology, n_atoms, n_beads))
    except ConfigError as error:
        raise ConfigError(f"sample.pcoord: {error}") from None


def count_beads(system: SystemConfig, mapping: MappingConfig) -> int:
    """Return how many beads a protein becomes, from its heavy atoms alone."""
    import numpy as np

    from apps.science.cg.mapping.bead_choice import choose_beads

    topology = build_heavy_topology(system)
    masses = [atom.element.mass for atom in topology.atoms]
    rules = mapping.beads or system.beads
    return len(choose_beads(topology, np.array(masses), rules, mapping.residues))


def build_heavy_topology(system: SystemConfig) -> Any:
    """Return the mdtraj topology of a protein's heavy atoms."""
    import mdtraj

    from apps.science.systems.structure import format_pdb
    from apps.science.systems.taken import take_structure

    residues = take_structure(system).residues
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "heavy.pdb"
        path.write_text(format_pdb(residues), encoding="utf-8")
        return mdtraj.load(str(path)).topology


def _may_mean_hydrogens(mapping: MappingConfig) -> bool:
    if not isinstance(mapping.beads, list):
        return False
    return any(
        rule.atoms is None
        or any(atom.lstrip("123").startswith("H") for atom in rule.atoms)
        for rule in mapping.beads
    )
