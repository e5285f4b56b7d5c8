"""The pooling of a model's WE run into a set of frames, and what arrived in it."""

import h5py
import numpy as np
import pytest

from apps.science.benchmark.model_kinds import GivenFrames
from apps.science.benchmark.model_run import (
    choose_lineage,
    model_frames,
    read_passage,
    read_temperature,
)
from apps.science.errors import DataError
from apps.science.propagators.base import States
from apps.science.segments.store import create_store
from apps.science.we.config import WEConfig
from apps.science.we.kinetics import read_flux

N_BEADS = 5


def write_run(path, n_iterations, n_roots, n_frames=3, n_alive=None):
    """Write a WE run of ``n_roots`` walkers; only ``n_alive`` ancestors survive."""
    create_store(path, N_BEADS)
    rows = n_iterations * n_roots * n_frames
    n_iter = np.repeat(np.arange(1, n_iterations + 1), n_roots * n_frames)
    seg_id = np.tile(np.repeat(np.arange(n_roots), n_frames), n_iterations)
    root = np.where(n_iter == 1, seg_id, seg_id % (n_alive or n_roots))
    columns = {
        "weight": np.tile(np.repeat(np.arange(1, n_roots + 1), n_frames), n_iterations)
        / (n_roots * (n_roots + 1) / 2),
        "n_iter": n_iter,
        "seg_id": seg_id,
        "frame": np.tile(np.arange(n_frames), n_iterations * n_roots),
        "parent": seg_id,
        "root": root,
    }
    with h5py.File(path, "r+") as h5:
        h5.attrs["last_iter"] = n_iterations
        for name in ("positions", "forces"):
            h5[name].resize(rows, axis=0)
        h5["positions"][:] = np.random.default_rng(3).normal(size=(rows, N_BEADS, 3))
        for name, values in columns.items():
            h5[name].resize(rows, axis=0)
            h5[name][:] = values
    return path


def test_a_we_run_is_pooled_with_its_own_weights_and_times(tmp_path) -> None:
    segments = write_run(tmp_path / "segments.h5", 4, 20)
    frames = model_frames(segments, 3.0, 1.0)
    assert len(frames) == 4 * 20 * 3
    # every iteration holds weight one at each frame
    for time in range(1, 13):
        assert frames.weight[frames.time_ps == time].sum() == pytest.approx(1)
    # a segment's frames follow each other and share weight and root
    for one in np.unique(frames.trajectory):
        rows = frames.trajectory == one
        assert np.diff(frames.time_ps[rows]).tolist() == [1.0, 1.0]
        assert len(set(frames.weight[rows])) == len(set(frames.lineage[rows])) == 1
    assert len(np.unique(frames.lineage)) == 20


def test_a_segment_continues_its_parent_and_a_start_nothing(tmp_path) -> None:
    frames = model_frames(write_run(tmp_path / "segments.h5", 4, 20), 3.0, 1.0)
    first = frames.time_ps <= 3.0
    assert (frames.continues[first] == -1).all()
    ends = dict(zip(frames.trajectory, frames.time_ps, strict=True))
    for row in np.flatnonzero(~first & (frames.time_ps % 3.0 == 1.0)):
        assert ends[frames.continues[row]] == frames.time_ps[row] - 1.0
    kept = model_frames(tmp_path / "segments.h5", 3.0, 1.0, 0.25)
    assert set(kept.trajectory) < set(frames.trajectory)


def test_what_arrives_at_a_target_is_read_from_the_run(tmp_path, run_walkers) -> None:
    """A free particle that is carried to the right, over a target at 1."""
    config = WEConfig.model_validate(
        {
            "n_iterations": 8,
            "walkers_per_bin": 4,
            "bins": {"kind": "rectilinear", "edges": [[0.0]]},
            "targets": [{"region": [(0.5, None)]}],
        }
    )
    toy = {
        "kind": "toy", "potential": "double_well", "barrier_kt": 0.5,
        "timestep_fs": 50.0, "n_steps": 40, "n_steps_per_frame": 40,
        "diffusion_angstrom2_per_ps": 1.0,
    }  # fmt: skip
    place = np.full((1, 1, 3), [[-1.0, 0.0, 0.0]])
    west = run_walkers(
        tmp_path / "we", config, toy, States(place, np.zeros_like(place))
    )

    class Cartesian:
        n_dim = 1

        def project(self, positions):
            return positions[:, 0, :1]

    passage = read_passage(tmp_path / "we", Cartesian(), 2.0, 0.25)
    flux = read_flux(west)
    assert flux.sum() > 0
    np.testing.assert_array_equal(passage.flux, flux[len(flux) // 4 :])
    assert passage.regions == (((0.5, np.inf),),)
    assert passage.starts.tolist() == [[-1.0]]
    beside = GivenFrames(tmp_path / "we" / "frames.h5")
    again = beside.read_passage(Cartesian(), 0.25)
    assert again.tau_ps == 2.0
    np.testing.assert_array_equal(again.flux, passage.flux)
    elsewhere = GivenFrames(tmp_path / "frames.h5")
    assert elsewhere.read_passage(Cartesian(), 0.25) is None
    assert read_temperature(tmp_path / "we") == toy.get("temperature_kelvin")
    assert read_passage(tmp_path, Cartesian(), 2.0, 0.0) is None


def test_burn_in_drops_whole_iterations(tmp_path) -> None:
    frames = model_frames(write_run(tmp_path / "s.h5", 8, 20), 3.0, 1.0, 0.25)
    assert frames.time_ps.min() == 2 * 3.0 + 1.0
    assert frames.time_ps.max() == 8 * 3.0


def test_few_surviving_ancestors_make_way_for_blocks_of_iterations(tmp_path) -> None:
    frames = model_frames(write_run(tmp_path / "s.h5", 40, 20, n_alive=2), 3.0, 1.0)
    assert len(np.unique(frames.lineage)) == 20
    for one in range(20):
        times = frames.time_ps[frames.lineage == one]
        assert np.ptp(times) < 2 * 3.0


def test_roots_count_by_weight_not_by_number() -> None:
    root = np.arange(30)
    n_iter = np.ones(30, dtype=int)
    weight = np.full(30, 1e-9)
    weight[0] = 1.0
    assert len(np.unique(choose_lineage(root, n_iter, weight))) == 1
    assert choose_lineage(root, n_iter, np.ones(30)) is root


def test_an_empty_run_is_named(tmp_path) -> None:
    create_store(tmp_path / "segments.h5", N_BEADS)
    with pytest.raises(DataError, match="is empty"):
        model_frames(tmp_path / "segments.h5", 3.0, 1.0)
