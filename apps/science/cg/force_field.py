"""The energy of coarse-grained dynamics: a prior plus, if trained, a network."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from apps.science.cg.mapping.mapping import Mapping, read_mapping
from apps.science.errors import DataError, ShapeMismatchError
from apps.science.files import hash_file

if TYPE_CHECKING:
    import torch

    from apps.science.cg.prior.terms import Prior
    from apps.science.models.potentials.network import Network


class ForceField:
    """Energies and forces of replicas of one molecule.

    Attributes
    ----------
    mapping : the beads
    n_beads : beads of one replica
    masses_amu : (n_beads,)
    bonds : pairs of beads
    embeddings, sequence : (n_beads,), as ``Network.energy`` takes them
    """

    def __init__(
        self,
        prior: "Prior",
        mapping: Mapping,
        network: "Network | None" = None,
        device: str = "cpu",
    ) -> None:
        import torch

        from apps.science.models.potentials._sequence import number_along_chains

        self.mapping = mapping
        self.n_beads = mapping.n_beads
        self.masses_amu: Sequence[float] = list(mapping.masses_amu)
        self.bonds: Sequence[tuple[int, int]] = list(mapping.bonds)
        self.prior = prior.to(device=device)
        self.network = network
        self.embeddings = torch.tensor(mapping.embeddings, device=device)
        self.sequence = torch.tensor(
            number_along_chains(mapping.resids, mapping.bonds), device=device
        )
        if network is not None:
            network.to(device)
            network.eval()
            network.requires_grad_(False)

    def compute(self, positions: "torch.Tensor") -> "tuple[torch.Tensor, torch.Tensor]":
        """Return energies (R,), kcal/mol, and forces (R, n_beads, 3), kcal/mol/Å.

        Parameters
        ----------
        positions : (R, n_beads, 3), Angstrom, float32 or float64. The prior computes
            in this precision, the network in float32; results come back in it.

        Raises
        ------
        ShapeMismatchError
            If the positions have another number of beads.
        """
        import torch

        if positions.ndim != 3 or tuple(positions.shape[1:]) != (self.n_beads, 3):
            raise ShapeMismatchError(
                f"Got positions of shape {tuple(positions.shape)}; expected "
                f"(n_replicas, {self.n_beads}, 3). Use the mapping of this model."
            )
        positions = positions.detach()
        energy, forces = self.prior.energy_and_forces(positions)
        if self.network is None:
            return energy, forces
        if positions.dtype == torch.float64:
            # before digits are dropped: files hold molecules hundreds of Å from zero
            positions = positions - positions.mean(dim=1, keepdim=True)
        with torch.no_grad():
            net_energy, net_forces = self.network.energy_and_forces(
                positions.to(torch.float32), self.embeddings, self.sequence
            )
        return energy + net_energy.to(energy.dtype), forces + net_forces.to(
            forces.dtype
        )


def load_force_field(
    prior: Path, mapping: Path, checkpoint: Path | None, device: str = "cpu"
) -> ForceField:
    """Read the parts of a force field and join them.

    Parameters
    ----------
    prior : prior.yaml
    mapping : mapping.json
    checkpoint : ``best.pt`` or ``last.pt`` of a model; None for the prior alone

    Raises
    ------
    DataError
        If the model was trained on what another prior leaves.
    """
    from apps.science.cg.prior.priors import read_prior

    read = read_mapping(mapping)
    network = None
    if checkpoint is not None:
        from apps.science.cg.checkpoint import read_checkpoint, restore_network

        content = read_checkpoint(checkpoint)
        _check_prior(content["proteins"], prior, checkpoint)
        network = restore_network(content)
    return ForceField(read_prior(prior, read), read, network, device)


def load_checkpoint(
    checkpoint: Path, protein: str | None = None, device: str = "cpu"
) -> ForceField:
    """Return the force field of a protein that a model was trained on.

    The checkpoint holds all that is needed: network, prior and mapping.

    Parameters
    ----------
    protein : its name; None where the model knows only one

    Raises
    ------
    DataError
        If the checkpoint does not hold the prior and mapping of this protein.
    """
    from apps.science.cg.checkpoint import read_checkpoint, restore_network

    content = read_checkpoint(checkpoint)
    known: dict[str, Any] = {
        key: facts
        for key, facts in content["proteins"].items()
        if facts["prior_yaml"] and facts["mapping_json"]
    }
    if protein is None and len(known) == 1:
        protein = next(iter(known))
    if protein not in known:
        raise DataError(
            f"{checkpoint} holds the priors and mappings of {', '.join(known) or 'no'} "
            f"protein(s); asked for {protein or 'the only one'}. Name one of them, or "
            "give prior.yaml and mapping.json as files."
        )
    facts = known[protein]
    prior, mapping, _ = parse_prior(facts["prior_yaml"], facts["mapping_json"])
    return ForceField(prior, mapping, restore_network(content), device)


def parse_prior(
    prior_yaml: str, mapping_json: str
) -> "tuple[Prior, Mapping, float | None]":
    """Return a prior, its mapping and its temperature, kelvin, from stored texts."""
    from apps.science.cg.prior.terms import build_prior
    from apps.science.cg.prior.torchmd_yaml import read_tables

    with TemporaryDirectory() as folder:
        prior, mapping = Path(folder) / "prior.yaml", Path(folder) / "mapping.json"
        prior.write_text(prior_yaml, encoding="utf-8")
        mapping.write_text(mapping_json, encoding="utf-8")
        tables, beads = read_tables(prior), read_mapping(mapping)
    return build_prior(beads, tables), beads, tables.temperature_kelvin


def _check_prior(proteins: dict[str, Any], prior: Path, checkpoint: Path) -> None:
    """Refuse a prior that none of the trained proteins had; old files do not say."""
    expected = {facts["prior_sha256"] for facts in proteins.values()} - {""}
    found = hash_file(prior)
    if expected and found not in expected:
        listed = ", ".join(sorted(sha[:12] for sha in expected))
        raise DataError(
            f"{checkpoint} was trained on what the prior {listed} leaves, but {prior} "
            f"is {found[:12]} (sha256). Use the prior of the training, or train again."
        )
