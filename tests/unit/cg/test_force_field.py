from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from apps.science.arrays import Array
from apps.science.cg.checkpoint import write_checkpoint
from apps.science.cg.force_field import ForceField, load_force_field
from apps.science.cg.mapping.mapping import Mapping
from apps.science.cg.prior.tables import PriorTables
from apps.science.cg.prior.torchmd_yaml import write_tables
from apps.science.errors import ShapeMismatchError
from apps.science.models.potentials.base import build_network, read_config

MODEL = {"kind": "cgschnet", "embedding_dimension": 16, "num_layers": 1}


@pytest.fixture
def load(
    tmp_path: Path, bead_chain: Callable[..., Mapping]
) -> Callable[[bool], ForceField]:
    mapping = bead_chain(["CAA"] * 6).write(tmp_path / "mapping.json")
    tables = PriorTables(("bonds",), ("bonds",), bonds={("CAA", "CAA"): (75.0, 3.8)})
    prior = write_tables(tables, tmp_path / "prior.yaml")
    torch.manual_seed(0)
    config = read_config(MODEL)
    checkpoint = write_checkpoint(
        tmp_path / "best.pt", config.model_dump(), build_network(config).state_dict()
    )
    return lambda with_net: load_force_field(
        prior, mapping, checkpoint if with_net else None
    )


def test_force_field_is_prior_plus_network(
    load: Callable[[bool], ForceField], random_chains: Callable[..., Array]
) -> None:
    both, prior = load(True), load(False)
    positions = torch.as_tensor(random_chains(3, 6), dtype=torch.float32)
    energy, forces = both.compute(positions)
    assert both.network is not None
    net = both.network.energy(positions, torch.arange(1, 7))
    torch.testing.assert_close(energy - prior.compute(positions)[0], net.detach())
    assert forces.shape == (3, 6, 3)
    assert not forces.requires_grad


def test_forces_are_minus_the_gradient_of_the_whole_energy(
    load: Callable[[bool], ForceField], random_chains: Callable[..., Array]
) -> None:
    field = load(True)
    positions = torch.as_tensor(random_chains(1, 6))
    _, forces = field.compute(positions)
    step = torch.zeros_like(positions)
    step[0, 2, 1] = 1e-2
    rise = field.compute(positions + step)[0] - field.compute(positions - step)[0]
    assert float(-rise / 2e-2) == pytest.approx(float(forces[0, 2, 1]), rel=1e-2)


def test_another_number_of_beads_is_refused(load: Callable[[bool], ForceField]) -> None:
    with pytest.raises(ShapeMismatchError, match="n_replicas, 6, 3"):
        load(False).compute(torch.zeros(1, 5, 3))
