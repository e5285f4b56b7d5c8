"""Tabulated force fields as packed tensors: what a GPU runs, and its CUDA graph."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from apps.science.arrays import Array
from apps.science.cg.fast.dynamics import FastForceField
from apps.science.cg.fast.tabulated import TabulatedForceField
from apps.science.cg.force_field import ForceField
from apps.science.propagators._packed import (
    LangevinSettings,
    Trajectories,
    run_packed,
)

SETTINGS = LangevinSettings(300.0, 1.0, 0.004, 100, 20, 8.0)
DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
        ],
    ),
]


def run(field: ForceField, x: Array, device: str, rows: list[int]) -> Trajectories:
    start = torch.tensor(x[rows], dtype=torch.float32, device=device)
    return run_packed(
        TabulatedForceField(field, device), start, torch.zeros_like(start),
        torch.tensor(rows, device=device), SETTINGS,
    )  # fmt: skip


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("network", ["graph tanh", "cgschnet"])
def test_tensors_do_what_compiled_kernels_do(
    make_field: Callable[..., ForceField], chains: Callable[..., Array],
    device: str, network: str,
) -> None:  # fmt: skip
    field, x = make_field(network), chains(5)
    plain = FastForceField(field).run(x, np.zeros_like(x), np.arange(5), SETTINGS)
    packed = run(field, x, device, [0, 1, 2, 3, 4])
    assert not packed.failed.any()
    torch.testing.assert_close(packed.positions, plain.positions, atol=2e-4, rtol=0)


@pytest.mark.parametrize("device", DEVICES)
def test_blocks_of_one_and_of_many_agree_and_a_runaway_harms_none(
    make_field: Callable[..., ForceField], chains: Callable[..., Array], device: str
) -> None:
    field, x = make_field("graph silu"), chains(64)
    whole = run(field, x, device, list(range(64)))
    for row in (0, 63):
        alone = run(field, x, device, [row])
        torch.testing.assert_close(
            whole.positions[row : row + 1], alone.positions, atol=1e-5, rtol=0
        )
    x[7, 3] += 40.0
    harmed = run(field, x, device, list(range(64)))
    expected = whole.failed.clone()  # some random chains are too tight to live
    assert not expected[7]
    expected[7] = True
    assert harmed.failed.tolist() == expected.tolist()
    rest = ~harmed.failed
    torch.testing.assert_close(
        harmed.positions[rest], whole.positions[rest], atol=1e-5, rtol=0
    )
