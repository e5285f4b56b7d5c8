"""Every metric of conformations of weft keeps their contract.

To add one, add its file to apps/science/metrics/conformations/.
"""

import pytest

from apps.contracts.conformations import ConformationMetricContract
from apps.science.plugins import list_kinds


class TestConformationMetrics(ConformationMetricContract):
    @pytest.fixture(params=list_kinds(ConformationMetricContract.package))
    def kind(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)
