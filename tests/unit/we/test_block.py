"""A walker that runs away is rerun, then stops the run, or stands still and says so."""

import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from apps.science.errors import BlockTooLongError, NumericalError, ShapeMismatchError
from apps.science.propagators.base import Frames, States
from apps.science.we import block
from apps.science.we.spec import PropagationSpec
from apps.science.we.storage.shards import FinishedBlock, Origin

# a step so long that overdamped dynamics overshoots ever further
UNSTABLE = {
    "kind": "toy", "n_steps": 400, "n_steps_per_frame": 100, "timestep_fs": 50000.0,
    "barrier_kt": 400.0,
}  # fmt: skip


def write_spec(folder: Path, *, keep_failed: bool) -> Path:
    starts = folder / "starts.npz"
    position = np.array([[[-1.5, 0.0, 0.0]]])
    np.savez(starts, positions=position, velocities=np.zeros((1, 1, 3)))
    spec = PropagationSpec(
        3, UNSTABLE, {"kind": "cartesian"}, str(starts), keep_failed=keep_failed
    )
    return spec.write(folder / "propagation.json")


def propagate(spec: Path, out: Path) -> FinishedBlock:
    origins = [Origin(None, 0), Origin(None, 0)]
    return block.propagate_block(spec, 4, [7, 8], [0, 1], origins, out)


def test_a_walker_that_fails_twice_stops_the_run_with_its_story(tmp_path) -> None:
    spec = write_spec(tmp_path, keep_failed=False)
    with pytest.raises(NumericalError, match=r"Segment 7 of iteration 4 ran away"):
        propagate(spec, tmp_path / "seg_000007.h5")
    assert not (tmp_path / "seg_000007.h5").exists()


def test_a_judged_walker_stands_still_and_its_frames_say_so(tmp_path) -> None:
    spec = write_spec(tmp_path, keep_failed=True)
    done = propagate(spec, tmp_path / "seg_000007.h5")
    with h5py.File(done.path) as h5:
        assert np.isnan(h5["positions"]).all()
        np.testing.assert_allclose(h5["final_positions"][:, 0, 0], -1.5)
    np.testing.assert_allclose(done.pcoord, -1.5)


class Careless:
    """A propagator with a fault: too few frames, or NaN that it does not report."""

    def __init__(self, n_frames: int, *, nan: bool = False) -> None:
        self.n_frames, self.nan = n_frames, nan
        self.seeds: list[int] = []

    def recorded(self, states: States) -> np.ndarray:
        return states.positions

    def propagate(self, states: States, seeds: list[int]) -> Frames:
        self.seeds += seeds
        frames = np.repeat(states.positions[:, None], self.n_frames, axis=1)
        if self.nan:
            frames = frames * np.nan
        end = States(frames[:, -1], states.velocities)
        return Frames(frames, frames, end, np.zeros(len(states), bool))


def advance(propagator: Careless, **settings: object) -> tuple[Frames, list[int]]:
    spec = PropagationSpec(3, UNSTABLE, {"kind": "cartesian"}, "starts.npz", **settings)
    states = States(np.zeros((2, 1, 3)), np.zeros((2, 1, 3)))
    return block._advance(propagator, states, spec, 4, [7, 8], [Origin(None, 0)] * 2)


def test_a_propagator_that_returns_too_few_frames_is_named() -> None:
    with pytest.raises(ShapeMismatchError, match=r"'toy' returned .* of 4 frames"):
        advance(Careless(n_frames=3))


def test_nan_that_a_propagator_does_not_report_is_seen() -> None:
    propagator = Careless(4, nan=True)
    with pytest.raises(NumericalError, match=r"in 3 attempts.*0 of 4 frames"):
        advance(propagator, n_reseeds=2)
    assert len(set(propagator.seeds)) == 6


class Flat:
    """A progress coordinate with a fault: one number a frame, without its axis."""

    n_dim = 1

    def __init__(self, value: float) -> None:
        self.value = value

    def compute(self, positions: np.ndarray) -> np.ndarray:
        shape = (len(positions),) if np.isfinite(self.value) else (len(positions), 1)
        return np.full(shape, self.value)


@pytest.mark.parametrize(
    ("value", "said"), [(1.0, r"shape \(6,\)"), (np.nan, r"\(finite: False\)")]
)
def test_a_progress_coordinate_of_the_wrong_shape_is_named(value, said) -> None:
    with pytest.raises(ShapeMismatchError, match=rf"'mine' .*{said}.*\(6, 1\)"):
        block._compute_pcoords(Flat(value), "mine", np.zeros((2, 3, 4, 3)))


def test_a_block_that_the_batch_job_would_cut_does_not_begin(
    tmp_path, monkeypatch
) -> None:
    spec = write_spec(tmp_path, keep_failed=True)
    propagate(spec, tmp_path / "first.h5")
    monkeypatch.setitem(block._PACE_S, str(spec), 60.0)  # as if they were long
    monkeypatch.setenv("WEFT_BLOCK_ENDS", str(time.time() + 100))
    with pytest.raises(BlockTooLongError, match="A block of 2 segments takes about"):
        propagate(spec, tmp_path / "second.h5")
    block.propagate_block(spec, 4, [7], [0], [Origin(None, 0)], tmp_path / "half.h5")
    assert not (tmp_path / "second.h5").exists()
