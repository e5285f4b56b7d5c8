import itertools

import pytest
import torch

from apps.science.learning.schedule import (
    LearningRate,
    MovingAverage,
    build_optimiser,
)
from apps.science.models.potentials.base import build_network, read_config
from apps.science.tasks.force_matching.config import TrainingConfig


@pytest.mark.parametrize("kind", ["torchmd_net", "cgschnet"])
def test_biases_embeddings_and_radial_functions_do_not_decay(kind: str) -> None:
    network = build_network(
        read_config({"kind": kind, "embedding_dimension": 8, "num_layers": 1})
    )
    optimiser = build_optimiser(network, TrainingConfig())
    names = {id(p): name for name, p in network.named_parameters()}
    decayed = [
        names[id(p)]
        for group in optimiser.param_groups
        if group["weight_decay"]
        for p in group["params"]
    ]
    marks = ("bias", "embedding", "rbf", "means", "betas")
    assert decayed
    assert not [n for n in decayed if any(mark in n for mark in marks)]


def test_cosine_warms_up_and_ends_at_its_minimum() -> None:
    rate = LearningRate(TrainingConfig(warmup_steps=10), 1000)
    course = [rate.at(step) for step in range(1001)]
    assert course[0] < course[5] < course[10] == pytest.approx(1e-3)
    assert course[-1] == pytest.approx(1e-5)
    assert all(a >= b for a, b in itertools.pairwise(course[10:]))


def test_plateau_lowers_the_rate_only_where_the_loss_stalls() -> None:
    config = TrainingConfig(schedule="plateau", plateau_patience=2, warmup_steps=0)
    rate = LearningRate(config, 1000)
    for loss in (3.0, 2.0, 1.0):
        rate.finish_epoch(loss)
    assert rate.at(500) == pytest.approx(1e-3)
    for _ in range(2):
        rate.finish_epoch(1.0)
    assert rate.at(500) == pytest.approx(0.8e-3)


def test_the_average_lags_and_leaves_the_live_weights_alone() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(network.weight, 0.0)
    average = MovingAverage(network, 0.9)
    for step in range(200):
        torch.nn.init.constant_(network.weight, 1.0)
        average.update(step)
    torch.nn.init.constant_(network.weight, 5.0)
    with average.applied():
        assert network.weight.item() == pytest.approx(1.0, abs=1e-3)
    assert network.weight.item() == 5.0
