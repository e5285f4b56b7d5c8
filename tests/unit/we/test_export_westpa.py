"""WESTPA's own analysis reads an exported run as if its HDF5 framework wrote it."""

from pathlib import Path

import h5py
import mdtraj
import numpy as np
import pytest
from westpa.analysis import HDF5MDTrajectory, Run
from westpa.core.h5io import WESTIterationFile
from westpa.core.segment import Segment

from apps.science.errors import ConfigError, DataError
from apps.science.segments.export_westpa import export_westpa
from apps.science.segments.topology import make_points
from apps.science.we.storage import journal

N_ITERATIONS, N_FRAMES, PS = 4, 5, 0.02
START = np.array([[[-1.0, 0.0, 0.0]]])


@pytest.fixture
def run(tmp_path, run_toy) -> Path:
    run_toy(tmp_path / "run", N_ITERATIONS)
    return tmp_path / "run"


def frames_of(run: Path, n_iter: int) -> list[np.ndarray]:
    """Return each segment's frames, (n_frames, 1, 3), Angstrom."""
    found = []
    for segment in journal.read_record(run / "journal", n_iter).segments:
        with h5py.File(segment.shard) as h5:
            found.append(h5["positions"][segment.row])
    return found


def export(run: Path, out: Path, first: int = 1, last: int = N_ITERATIONS):
    return export_westpa(run, make_points(1), out, first, last, PS, START)


def test_every_segment_is_read_with_its_frames_and_weight(run, tmp_path) -> None:
    done = export(run, tmp_path / "out")
    read = HDF5MDTrajectory()
    with Run(str(tmp_path / "out" / "west.h5")) as west:
        assert west.num_iterations == N_ITERATIONS
        assert done.n_segments == west.num_walkers
        for iteration in west:
            expected = frames_of(run, iteration.number)
            for walker in iteration:
                found = read(walker, include_initpoint=False).xyz * 10
                np.testing.assert_allclose(found, expected[walker.index], atol=1e-6)
            assert iteration.weights.sum() == pytest.approx(1.0, abs=1e-12)


def test_a_trace_leads_from_the_start_to_the_end(run, tmp_path) -> None:
    export(run, tmp_path / "out")
    read = HDF5MDTrajectory()
    read.segment_collector.show_progress = False
    with Run(str(tmp_path / "out" / "west.h5")) as west:
        trace = west.iteration(N_ITERATIONS).walker(2).trace()
        found = read(trace).xyz[:, 0] * 10
        expected = [frames_of(run, w.iteration.number)[w.index] for w in trace]
        pcoord = np.concatenate([w.pcoords[1:] for w in trace])
    assert len(trace) == N_ITERATIONS
    np.testing.assert_allclose(found[0], START[0, 0], atol=1e-6)
    np.testing.assert_allclose(found[1:], np.concatenate(expected)[:, 0], atol=1e-6)
    np.testing.assert_allclose(found[1:, 0], pcoord[:, 0], atol=1e-5)


def test_the_files_are_those_that_westpa_writes(run, tmp_path) -> None:
    export(run, tmp_path / "ours", 2, 2)
    ours, stock = tmp_path / "ours" / "traj_segs" / "iter_000002.h5", tmp_path / "s.h5"
    with WESTIterationFile(str(stock), "a") as handle:
        for seg_id, frames in enumerate(frames_of(run, 2)):
            segment = Segment(n_iter=2, seg_id=seg_id)
            segment.data["iterh5/trajectory"] = mdtraj.Trajectory(
                frames / 10, make_points(1), time=np.arange(N_FRAMES) * PS
            )
            handle.write_segment(segment)
    with h5py.File(ours) as one, h5py.File(stock) as other:
        assert sorted(one) == sorted(other)
        assert one.attrs["n_iter"] == other.attrs["n_iter"] == 2
        for name in ("coordinates", "pointer", "time", "topology"):
            np.testing.assert_array_equal(one[name][:], other[name][:])


def test_the_run_itself_is_left_as_it_was(run, tmp_path) -> None:
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    export(run, tmp_path / "out", 1, 2)
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before
    with pytest.raises(ConfigError, match="the run itself"):
        export(run, run)


def test_it_can_be_done_twice(run, tmp_path) -> None:
    export(run, tmp_path / "out")
    done = export(run, tmp_path / "out", 1, 2)
    with Run(str(tmp_path / "out" / "west.h5")) as west:
        assert "trajectories" in west.iteration(2).h5group
        assert "trajectories" not in west.iteration(3).h5group
    assert done.n_iterations == 2


def test_iterations_that_west_h5_lacks_are_refused(run, tmp_path) -> None:
    with pytest.raises(ConfigError, match="up to iteration 4 as yet, but 5"):
        export(run, tmp_path, 1, N_ITERATIONS + 1)
    for name in ("west.h5", "west.h5.snapshot"):
        (run / name).unlink()
    with pytest.raises(DataError, match="Resume the run"):
        export(run, tmp_path, 1, 1)
