"""A model that others trained: torchmd-net's network, torchmd's prior, PSF beads."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from apps.science.cg.mapping.bead_topology import (
    NamedResidue,
    compare_residues,
    read_psf,
    read_psf_angles,
)
from apps.science.cg.mapping.beads import name_residue
from apps.science.cg.mapping.mapping import Mapping
from apps.science.cg.published.lightning_file import read_lightning
from apps.science.errors import ConfigError, DataError

if TYPE_CHECKING:
    from apps.science.cg.force_field import ForceField

log = logging.getLogger(__name__)


def load_published(
    checkpoint: Path,
    prior: Path | None,
    beads: "Path | Mapping | None",
    device: str = "cpu",
) -> "ForceField":
    """Return the force field of a torchmd-net checkpoint.

    Beads have the masses of the prior and, as in torchmd, the bonds, angles and
    dihedrals that the PSF lists; the network knows them by their residues' names.

    Parameters
    ----------
    prior : TorchMD force field that the network was trained beside
    beads : PSF file, or C-alpha beads of a mapping

    Raises
    ------
    ConfigError
        If the prior or the beads are not given.
    DataError
        If the checkpoint is of another kind, or does not know a residue.
    """
    from apps.science.cg.force_field import ForceField
    from apps.science.cg.prior.terms import build_prior
    from apps.science.cg.prior.torchmd_yaml import read_tables
    from apps.science.cg.published.graph_network import restore_graph_network

    if prior is None:
        raise ConfigError(
            f"{checkpoint} is a checkpoint of torchmd-net, which holds no prior. Give "
            "the TorchMD force field that it was trained beside: --prior "
            "prior_force_field.yaml."
        )
    if beads is None:
        raise ConfigError(
            f"{checkpoint} is a checkpoint of torchmd-net, which does not say what "
            "its beads are. Give the topology of the protein: --psf protein.psf."
        )
    settings, weights = read_lightning(checkpoint)
    mapping = read_psf(beads) if isinstance(beads, Path) else beads
    other = sorted({name for name in mapping.names if name != "CA"})
    if other:
        raise DataError(
            f"{checkpoint} is a model of C-alpha beads, and these are {mapping.kind} "
            f"beads ({', '.join(other[:3])} too). Compare it on C-alpha beads."
        )
    tables = read_tables(prior)
    masses = [
        tables.masses.get(kind, mass)
        for kind, mass in zip(mapping.types, mapping.masses_amu, strict=True)
    ]
    mapping = mapping.model_copy(update={"masses_amu": masses})
    if isinstance(beads, Path):
        angles = read_psf_angles(beads)
        if "angles" in tables.terms and not angles:
            log.warning(
                "%s lists no angles, so the angle terms of %s do not act", beads, prior
            )
        mapping = mapping.model_copy(update={"angles": angles})
    network = restore_graph_network(settings, weights, checkpoint, mapping.n_beads)
    known = network.representation.embedding.num_embeddings
    for number, name in zip(mapping.embeddings, mapping.resnames, strict=True):
        if number >= known:
            raise DataError(
                f"{checkpoint} knows {known} kinds of beads (max_z), and {name} would "
                f"be number {number}. Give a model trained with these residues."
            )
    return ForceField(build_prior(mapping, tables), mapping, network, device)


def check_same_beads(psf: Path, of_reference: Mapping) -> None:
    """Require a reference to have the residues of a PSF, one C-alpha each.

    Raises
    ------
    StructureError
        Naming every residue that differs.
    """
    one, two = (
        [
            NamedResidue(name_residue(name), number)
            for name, number in zip(m.resnames, m.resids, strict=True)
        ]
        for m in (read_psf(psf), of_reference)
    )
    compare_residues(one, two, psf.name, "the reference")
