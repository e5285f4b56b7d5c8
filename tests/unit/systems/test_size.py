"""Atoms counted before a system is built, against the systems themselves."""

import pytest

from apps.science.systems.build import build_system
from apps.science.systems.config import SystemConfig
from apps.science.systems.size import estimate_size


@pytest.mark.parametrize(
    "asked",
    [
        {"sequence": "A", "caps": True, "solvent": "obc2"},
        {"fold": "chignolin", "solvent": "vacuum"},
        {"fold": "chignolin", "solvent": "obc2", "unfolding_starts": 3},
        {"sequence": "ACDEFGHIKLMNPQRSTVWY", "solvent": "vacuum"},
    ],
)
def test_atoms_of_a_chain_are_counted_exactly(asked) -> None:
    config = SystemConfig(**asked)
    found = estimate_size(config)
    built = build_system(config, 1)
    assert found.n_solute == found.n_particles == built.system.getNumParticles()
    assert found.n_starts == len(built.positions) + built.n_unfolding


def test_water_is_counted_to_a_tenth() -> None:
    config = SystemConfig(fold="chignolin", solvent="tip3pfb", padding_nm=1.0)
    built = build_system(config, 1)
    found = estimate_size(config)
    n_particles = built.system.getNumParticles()
    assert found.n_particles == pytest.approx(n_particles, rel=0.15)
