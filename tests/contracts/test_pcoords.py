"""Every progress coordinate of weft keeps the contract of progress coordinates.

To add one, add its file to apps/science/pcoords/ and its settings below.
"""

from pathlib import Path
from typing import Any

import pytest

from apps.contracts.pcoords import PcoordContract, wander, write_points
from apps.science.pcoords.tica import fit_tica
from apps.science.plugins import list_kinds

KINDS = list_kinds(PcoordContract.package)


def find_settings(kind: str, folder: Path) -> dict[str, Any]:
    if kind == "tica":
        path = folder / "tica.npz"
        fit_tica([wander(400)], 1.0, 2.0, out=path)
        return {"model": str(path)}
    if kind == "rmsd":
        return {"reference": write_points(folder / "native.npy")}
    return {}


@pytest.fixture(scope="module", params=[k for k in KINDS if k != "cartesian"])
def shape(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def found(shape: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return find_settings(shape, tmp_path_factory.mktemp(shape))


class TestShapes(PcoordContract):
    @pytest.fixture
    def kind(self, shape: str) -> str:
        return shape

    @pytest.fixture
    def settings(self, found: dict[str, Any]) -> dict[str, Any]:
        return found


class TestCartesian(PcoordContract):
    of_shape = False

    @pytest.fixture
    def kind(self) -> str:
        return "cartesian"

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return {"axes": [0, 1]}
