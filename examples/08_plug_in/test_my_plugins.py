"""The kinds of this folder keep weft's contracts: pytest test_my_plugins.py."""

from pathlib import Path
from typing import Any

import pytest

from apps.contracts.conformations import ConformationMetricContract
from apps.contracts.pcoords import PcoordContract
from apps.contracts.potentials import PotentialContract


class InThisFolder:
    @pytest.fixture
    def plugins_folder(self) -> Path:
        return Path(__file__).parent / "my_plugins"


class TestEndDistance(InThisFolder, PcoordContract):
    @pytest.fixture
    def kind(self) -> str:
        return "end_distance"


class TestPairNetwork(InThisFolder, PotentialContract):
    @pytest.fixture
    def kind(self) -> str:
        return "pair_network"

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return {"width": 16}


class TestAsphericity(InThisFolder, ConformationMetricContract):
    @pytest.fixture
    def kind(self) -> str:
        return "asphericity"
