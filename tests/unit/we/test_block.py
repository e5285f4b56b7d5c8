"""A walker that runs away is rerun, then stops the run, or stands still and says so."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from apps.science.errors import NumericalError
from apps.science.we import block
from apps.science.we.shards import FinishedBlock, Origin
from apps.science.we.spec import PropagationSpec

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
