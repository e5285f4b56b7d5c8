"""Every potential of weft keeps the contract of potentials.

To add one, add its file to apps/science/models/potentials/; small settings go below.
"""

from typing import Any

import pytest

from apps.contracts.potentials import PotentialContract
from apps.science.models.potentials.base import PACKAGE
from apps.science.plugins import list_kinds

SMALL: dict[str, dict[str, Any]] = {
    "torchmd_net": {"embedding_dimension": 16, "num_layers": 2},
    "cgschnet": {"embedding_dimension": 16, "num_layers": 2},
    "cgnet": {"n_beads": 7, "width": 16},
}


class TestPotentials(PotentialContract):
    @pytest.fixture(params=list_kinds(PACKAGE))
    def kind(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def settings(self, kind: str) -> dict[str, Any]:
        return SMALL.get(kind, {})
