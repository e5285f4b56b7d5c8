"""The contract of a metric of conformations: what benchmark and report rely on."""

from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from apps.contracts.kinds import KindContract
from apps.science.arrays import Array
from apps.science.metrics.conformations.base import (
    PACKAGE,
    Beads,
    Comparison,
    Passage,
    ProjectsFrames,
    Result,
    WeightedSet,
)
from apps.science.resampling import plan_resampling
from apps.science.segments.frames import WeightedFrames

N_BEADS, N_FRAMES, N_TOGETHER = 7, 800, 40
LEAVES = 0.2
"""Chance that the next frame lies in the other of two basins."""

PASSAGE = Passage(
    flux=np.random.default_rng(9).random(40), tau_ps=1.0,
    regions=(((16.0, np.inf),),), starts=np.array([[8.0, 6.0]]),
)  # fmt: skip


class ConformationMetricContract(KindContract):
    """A metric of weighted bead frames. Overrides: ``kind``."""

    package: ClassVar[str] = PACKAGE

    def test_it_has_a_label_and_a_unit(self, module: ModuleType) -> None:
        assert isinstance(module.Metric.label, str)
        assert module.Metric.label
        assert isinstance(module.Metric.unit, str)

    def test_it_is_defined_for_a_chain_and_gives_figures(
        self, module: ModuleType
    ) -> None:
        assert module.Metric().undefined(connect(N_BEADS, Ends(), walk(5)[0])) is None
        found = compare(module, walk(2))
        assert found.figures, found.undefined
        assert found.undefined is None
        for figure in found.figures.values():
            assert np.isfinite(
                [figure.value, figure.low, figure.high, figure.floor]
            ).all()
            assert 0 <= figure.low <= figure.high
        for array in found.arrays.values():
            assert isinstance(array, np.ndarray)

    def test_two_beads_are_either_measured_or_refused_with_a_reason(
        self, module: ModuleType
    ) -> None:
        beads = connect(2)
        reason = module.Metric().undefined(beads)
        if reason is None:
            found = module.Metric().compare(set_against(weigh(walk(2, 2), 11), beads))
            assert found.figures, found.undefined
        else:
            assert isinstance(reason, str)
            assert reason

    def test_turning_and_moving_the_frames_changes_nothing(
        self, module: ModuleType
    ) -> None:
        x = walk(2)
        turns = Rotation.random(N_FRAMES, random_state=3).as_matrix()
        moved = (
            np.einsum("fij,fbj->fbi", turns, x)
            + np.arange(N_FRAMES)[:, None, None] / 50
        )
        first, second = compare(module, x), compare(module, moved)
        assert set(first.figures) == set(second.figures) != set()
        for name, figure in first.figures.items():
            assert second.figures[name].value == pytest.approx(
                figure.value, abs=5e-3, rel=0.02
            )

    def test_the_order_of_the_frames_changes_nothing(self, module: ModuleType) -> None:
        other = weigh(walk(2), 11)
        assert other.trajectory is not None
        assert other.continues is not None
        order = np.random.default_rng(4).permutation(N_FRAMES)
        mixed = WeightedSet(
            other.positions[order], other.weight[order], other.block[order],
            other.n_blocks, other.time_ps[order], other.ess, other.trajectory[order],
            other.continues[order],
        )  # fmt: skip
        found = [
            module.Metric().compare(set_against(s)).figures for s in (other, mixed)
        ]
        assert set(found[0]) == set(found[1]) != set()
        for name, figure in found[0].items():
            assert found[1][name].value == pytest.approx(
                figure.value, rel=1e-9, abs=1e-12
            )
            assert found[1][name].high == pytest.approx(
                figure.high, rel=1e-9, abs=1e-12
            )


class Ends:
    """A stand-in for TICA: two distances."""

    n_dim = 2
    lag_ps = 1.0

    def project(self, positions: Array) -> Array:
        """Return the two distances."""
        x = np.asarray(positions, dtype=float)
        pairs = [(0, N_BEADS - 1), (1, N_BEADS - 2)]
        return np.stack(
            [np.linalg.norm(x[:, i] - x[:, j], axis=-1) for i, j in pairs], axis=1
        )


def connect(
    n_beads: int, tica: ProjectsFrames | None = None, native: Array | None = None
) -> Beads:
    """Return a chain of beads."""
    bonds, angles, dihedrals = (
        np.stack([np.arange(max(0, n_beads - w + 1)) + k for k in range(w)], axis=1)
        for w in (2, 3, 4)
    )
    return Beads(n_beads, bonds, angles, dihedrals, tica=tica, native=native)


def walk(seed: int, n_beads: int = N_BEADS) -> Array:
    """Return chains with bonds near 3.8 that go from coiled to stretched and back."""
    rng = np.random.default_rng(seed)
    stretched = np.cumsum(rng.random(N_FRAMES) < LEAVES) % 2
    along = np.array([[0.0, 0, 0], [2.5, 0, 0]])[stretched]
    steps = along[:, None] + rng.normal(size=(N_FRAMES, n_beads - 1, 3))
    steps *= 3.8 / np.linalg.norm(steps, axis=-1, keepdims=True)
    steps *= 1 + 0.02 * rng.normal(size=(N_FRAMES, n_beads - 1, 1))
    return np.concatenate(
        [np.zeros((N_FRAMES, 1, 3)), np.cumsum(steps, axis=1)], axis=1
    )


def weigh(positions: Array, seed: int) -> WeightedSet:
    """Return frames with random weights, in lineages of N_TOGETHER."""
    n = len(positions)
    return WeightedSet.from_frames(
        WeightedFrames(
            positions=positions.astype(np.float32),
            weight=np.random.default_rng(seed).random(n),
            lineage=np.arange(n) // N_TOGETHER,
            trajectory=np.arange(n) // N_TOGETHER,
            time_ps=np.arange(1.0, n + 1),
        )
    )


def set_against(other: WeightedSet, beads: Beads | None = None) -> Comparison:
    """Return a model beside the reference, which knows all that a metric can ask."""
    beads = beads or connect(N_BEADS, Ends(), walk(5)[0])
    reference = weigh(walk(1, beads.n_beads), 10)
    plan = plan_resampling(reference.n_blocks, other.n_blocks, 20, seed=1)
    return Comparison(reference, other, plan, other, plan, beads, passage=PASSAGE)


def compare(module: ModuleType, model: Array) -> Result:
    """Return what a metric finds of a model."""
    result: Result = module.Metric().compare(set_against(weigh(model, 11)))
    return result
