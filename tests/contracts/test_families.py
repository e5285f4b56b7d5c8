"""The contracts of families that weft has no kind of yet, each kept by a small one."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from apps.contracts.flows import N_SAMPLES, FlowContract
from apps.contracts.forces import ForcesContract
from apps.contracts.latent import LatentContract
from apps.contracts.networks import draw
from apps.science.errors import UnknownKindError
from apps.science.models.potentials.base import read_config
from apps.science.plugins import staying_with_folder, use_folder

FOLDER = Path(__file__).with_name("families")


class InThisFolder:
    @pytest.fixture
    def plugins_folder(self) -> Path:
        return FOLDER


class TestFlow(InThisFolder, FlowContract):
    @pytest.fixture
    def kind(self) -> str:
        return "coupling"

    @pytest.fixture
    def given(self) -> dict[str, Tensor]:
        return {"angle": draw(N_SAMPLES, 1, seed=6)}


class TestLatent(InThisFolder, LatentContract):
    @pytest.fixture
    def kind(self) -> str:
        return "two_numbers"


class TestForces(InThisFolder, ForcesContract):
    @pytest.fixture
    def kind(self) -> str:
        return "radial"

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return {"cutoff_angstrom": 6.0}


def test_a_flow_that_does_not_invert_breaks_the_contract() -> None:
    class Broken(torch.nn.Module):
        def to_data(self, latent: Tensor, given: Any) -> tuple[Tensor, Tensor]:
            return 2 * latent, torch.zeros(len(latent))

        to_latent = to_data

    with pytest.raises(AssertionError):
        FlowContract().test_each_map_is_the_inverse_of_the_other(
            Broken(), draw(N_SAMPLES, 4), {}
        )
    with pytest.raises(AssertionError):
        FlowContract().test_the_stretch_is_that_of_the_jacobian(
            Broken(), draw(N_SAMPLES, 4), {}
        )


def test_a_kind_of_another_family_is_named_but_not_taken() -> None:
    with staying_with_folder():
        use_folder(FOLDER)
        with pytest.raises(UnknownKindError, match=r"There is one in models \(flows\)"):
            read_config({"kind": "coupling"})
