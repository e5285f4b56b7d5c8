"""Small force fields with every term and every kind of network that has tables."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from apps.science.arrays import Array
from apps.science.cg.force_field import ForceField
from apps.science.cg.mapping.mapping import Mapping
from apps.science.cg.prior.tables import PriorTables
from apps.science.cg.prior.terms import build_prior
from apps.science.models.potentials.base import build_network, read_config

GRAPH = {"kind": "torchmd_net", "embedding_dimension": 32, "num_layers": 2}
NETWORKS: dict[str, dict[str, Any]] = {
    "graph tanh": GRAPH,
    "graph silu": GRAPH | {"activation": "silu"},
    "graph lower cutoff": GRAPH | {"cutoff_lower_angstrom": 3.0},
    "cgschnet": {"kind": "cgschnet", "embedding_dimension": 24, "num_layers": 3},
    "cgschnet held": {"kind": "cgschnet", "embedding_dimension": 24, "num_layers": 2},
    "cgschnet without splines, held": {
        "kind": "cgschnet", "embedding_dimension": 24, "num_layers": 2,
        "filter_spacing_angstrom": 0.0,
    },
    "cgschnet without splines": {
        "kind": "cgschnet", "embedding_dimension": 32, "num_layers": 1,
        "filter_spacing_angstrom": 0.0, "sequence_range": 0,
    },
}  # fmt: skip


def build_tables() -> PriorTables:
    return PriorTables(
        terms=("bonds", "angles", "dihedrals", "repulsion"),
        exclusions=("bonds",),
        bonds={("X", "X"): (75.0, 3.8)},
        angles={("X", "X", "X"): (4.0, 1.9)},
        dihedrals={("X",) * 4: ((0.4, 0.7, 1), (-0.3, -1.2, 2))},
        repulsion={("CAA",): (4.0, 0.2), ("CAG",): (3.5, 0.3)},
    )


@pytest.fixture(scope="session")
def make_field(bead_chain: Callable[..., Mapping]) -> Callable[..., ForceField]:
    """Return a builder: name of a network or None, number of beads."""

    def make(network: str | None, n_beads: int = 10, seed: int = 0) -> ForceField:
        mapping = bead_chain([("CAA", "CAG")[i % 2] for i in range(n_beads)])
        torch.manual_seed(seed)
        built = None
        if network is not None:
            built = build_network(read_config(NETWORKS[network]))
            with torch.no_grad():  # as sharp as trained ones, and not zero anywhere
                for parameter in built.parameters():
                    parameter.add_(0.1 * torch.randn_like(parameter))
            if network.endswith("held"):  # as if no pair had been nearer, or farther
                seen = built.seen_angstrom
                seen.copy_(torch.tensor([4.5, 9.0]).expand_as(seen))
        return ForceField(build_prior(mapping, build_tables()), mapping, built)

    return make


@pytest.fixture(params=sorted(NETWORKS))
def network_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def chains(random_chains: Callable[..., Array]) -> Callable[..., Array]:
    def draw(n_frames: int, n_beads: int = 10, seed: int = 3) -> Array:
        frames = random_chains(n_frames, n_beads, seed)
        return frames - frames.mean(axis=1, keepdims=True)

    return draw
