"""Prepared systems that several suites share, built once per test run."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def alanine_system(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a prepared alanine dipeptide in OBC2: 22 atoms, one start."""
    from apps.science.systems.config import SystemConfig
    from apps.science.systems.prepare import prepare_system

    config = SystemConfig(sequence="A", caps=True, solvent="obc2", equilibration_ps=1.0)
    return prepare_system(config, 7, tmp_path_factory.mktemp("alanine") / "system")
