"""torchmd with torchmd-net's graph network and a C-alpha prior, for packing.py."""

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from apps.science.cg.force_field import ForceField


class Network:
    """torchmd-net's own model as torchmd calls a network.

    torchmd's own wrapper hands over a zero box, which makes every force NaN.
    """

    def __init__(self, field: ForceField, n_replicas: int, device: str) -> None:
        self._model = build_model(field).to(device)
        self._z = field.embeddings.repeat(n_replicas).to(device)
        rows = torch.arange(n_replicas, device=device)
        self._batch = rows.repeat_interleave(field.n_beads)

    def calculate(self, pos: torch.Tensor, box: Any) -> tuple[Any, Any]:
        """Return energies (R, 1) and forces (R, n_beads, 3)."""
        del box
        flat = pos.detach().reshape(-1, 3).requires_grad_(True)
        energy, forces = self._model(self._z, flat, self._batch)
        return energy.detach(), forces.view_as(pos)


def build_model(field: ForceField) -> Any:
    """Return torchmd-net's model with the parameters of ours."""
    from torchmdnet.models.model import create_model

    assert field.network is not None
    ours = field.network.state_dict()
    n_channels = ours["representation.embedding.weight"].shape[1]
    n_layers = 1 + max(int(k.split(".")[2]) for k in ours if ".interactions." in k)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchmd-net deprecates its graph network
        model = create_model({
            "model": "graph-network", "precision": 32,
            "embedding_dimension": n_channels, "num_layers": n_layers, "num_rbf": 20,
            "rbf_type": "expnorm", "trainable_rbf": True, "activation": "tanh",
            "neighbor_embedding": False, "aggr": "add", "cutoff_lower": 0.0,
            "cutoff_upper": 12.0,
            "max_z": len(ours["representation.embedding.weight"]),
            "max_num_neighbors": 64, "output_model": "Scalar", "reduce_op": "sum",
            "atom_filter": -1, "prior_model": None, "derivative": True,
            "box_vecs": None, "check_errors": False,
        })  # fmt: skip
    names = {"representation.": "representation_model.", "output.": "output_model."}
    theirs = {}
    for key, value in ours.items():
        start = next(start for start in names if key.startswith(start))
        theirs[names[start] + key[len(start) :]] = value
    missing, extra = model.load_state_dict(theirs, strict=False)
    if extra or any(name.endswith(("weight", "bias")) for name in missing):
        raise SystemExit(f"the peer's parameters differ: {missing} {extra}")
    return model.eval()


class Peer:
    """Replicas under torchmd's integrator.

    Parameters
    ----------
    prior : prior.yaml
    positions : (R, n_beads, 3), Angstrom
    """

    def __init__(
        self, field: ForceField, prior: Path, positions: np.ndarray, device: str
    ) -> None:
        from torchmd.forcefields.ff_yaml import YamlForcefield
        from torchmd.forces import Forces
        from torchmd.integrator import Integrator, maxwell_boltzmann
        from torchmd.parameters import Parameters
        from torchmd.systems import System

        mapping, n = field.mapping, field.n_beads
        molecule = SimpleNamespace(
            numAtoms=n, atomtype=np.array(mapping.types, dtype=object),
            charge=np.zeros(n), masses=np.array(mapping.masses_amu),
            bonds=np.array(mapping.bonds), angles=np.array(mapping.angles),
            dihedrals=np.array(mapping.dihedrals), impropers=np.zeros((0, 4)),
        )  # fmt: skip
        terms = ["bonds", "repulsioncg", "dihedrals"]
        parameters = Parameters(
            YamlForcefield(molecule, str(prior)), molecule, terms=[*terms, "lj"],
            precision=torch.float32, device=device,
        )  # fmt: skip
        parameters.A, parameters.B = parameters.get_AB()
        self.network = Network(field, len(positions), device)
        self.forces = Forces(
            parameters, terms=terms, external=self.network, exclusions=("bonds",)
        )
        self.system = System(n, len(positions), torch.float32, device)
        self.system.pos[:] = torch.tensor(positions, dtype=torch.float32)
        self.system.masses[:] = parameters.masses.view(-1, 1)
        self.system.vel[:] = maxwell_boltzmann(
            parameters.masses.view(-1, 1), T=300.0, replicas=len(positions)
        )
        self.integrator = Integrator(
            self.system, self.forces, 4.0, device, gamma=1.0, T=300.0
        )
        self.compute()

    def compute(self) -> torch.Tensor:
        """Return the forces (R, n_beads, 3) at the present positions."""
        self.forces.compute(self.system.pos, self.system.box, self.system.forces)
        return self.system.forces

    def step(self, n_steps: int) -> None:
        """Advance every replica."""
        self.integrator.step(n_steps)
        if self.system.pos.is_cuda:
            torch.cuda.synchronize()
