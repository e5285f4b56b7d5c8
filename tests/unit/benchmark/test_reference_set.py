"""A reference brought by the user: made once, kept by its content, checked early."""

import json

import mdtraj
import numpy as np
import pytest

from apps.science.benchmark.reference_set import (
    BroughtReference,
    ReferenceSet,
    bring_reference,
    check_reference,
    open_reference,
)
from apps.science.errors import DataError, WeightError
from apps.science.pcoords.tica import read_tica
from apps.science.segments.frames import read_frames

N_RESIDUES = 6


@pytest.fixture
def brought(tmp_path):
    """A C-alpha chain that bends slowly to and fro, as a trajectory with weights."""
    topology = mdtraj.Topology()
    chain = topology.add_chain()
    for _ in range(N_RESIDUES):
        residue = topology.add_residue("ALA", chain)
        topology.add_atom("CA", mdtraj.element.carbon, residue)
    rng = np.random.default_rng(0)
    bend = np.radians(110 + 20 * np.sin(np.arange(400) / 30))
    turn = np.cumsum(np.tile(np.pi - bend[:, None], (1, N_RESIDUES - 1)), axis=1)
    steps = 0.38 * np.stack([np.cos(turn), np.sin(turn), 0.3 + 0 * turn], axis=-1)
    x = np.concatenate([np.zeros((400, 1, 3)), np.cumsum(steps, axis=1)], axis=1)
    x += 0.005 * rng.normal(size=x.shape)
    path = tmp_path / "run.h5"
    mdtraj.Trajectory(x, topology, time=np.arange(400.0)).save(str(path))
    np.save(tmp_path / "weights.npy", rng.random(400))
    return BroughtReference([path], weights=tmp_path / "weights.npy", lag_ps=5.0)


def test_it_is_made_of_plain_arrays(brought, tmp_path) -> None:
    reference = bring_reference(brought, tmp_path / "cache")
    frames = check_reference(reference)
    np.testing.assert_array_equal(frames.weight, np.load(brought.weights))
    assert frames.positions.shape == (400, N_RESIDUES, 3)
    assert read_tica(reference.tica).lag_ps == 5.0
    folder = reference.frames.parent
    with np.load(folder / "histograms.npz", allow_pickle=False) as arrays:
        assert {"tic0/edges", "tic0/masses", "bonds/masses"} <= set(arrays.files)
        for name in arrays.files:
            if name.endswith("masses"):
                assert arrays[name].sum() == pytest.approx(1.0)
    said = json.loads((folder / "reference.json").read_text())
    assert folder.name == f"reference-{said['sha256'][:12]}"


def test_the_same_content_is_taken_from_the_cache(brought, tmp_path) -> None:
    first = bring_reference(brought, tmp_path / "cache")
    written = first.frames.stat().st_mtime_ns
    moved = tmp_path / "elsewhere.h5"
    moved.write_bytes(brought.trajectories[0].read_bytes())
    again = BroughtReference([moved], weights=brought.weights, lag_ps=5.0)
    assert bring_reference(again, tmp_path / "cache") == first
    assert first.frames.stat().st_mtime_ns == written
    assert open_reference(first.frames.parent) == first
    other = BroughtReference(brought.trajectories, lag_ps=5.0)
    assert bring_reference(other, tmp_path / "cache").frames != first.frames


def test_a_reference_shorter_than_its_lag_is_refused(brought, tmp_path) -> None:
    long = BroughtReference(brought.trajectories, lag_ps=500.0)
    with pytest.raises(DataError, match="longer than the lag of 500 ps"):
        bring_reference(long, tmp_path / "cache")
    good = bring_reference(brought, tmp_path / "cache")
    frames = read_frames(good.frames)
    short = type(frames)(**{k: v[:4] for k, v in vars(frames).items()})
    cut = ReferenceSet(short.write(tmp_path / "s.h5"), good.mapping, good.tica)
    with pytest.raises(DataError, match="less than the TICA lag of 5 ps"):
        check_reference(cut)


def test_weights_and_files_are_checked_before_anything_is_made(
    brought, tmp_path
) -> None:
    np.save(tmp_path / "few.npy", np.ones(399))
    few = BroughtReference(brought.trajectories, weights=tmp_path / "few.npy")
    with pytest.raises(WeightError, match="400 frames"):
        bring_reference(few, tmp_path / "cache")
    with pytest.raises(DataError, match="does not exist"):
        bring_reference(BroughtReference([tmp_path / "none.xtc"]), tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("frames.h5"))
    with pytest.raises(DataError, match="made by weft benchmark"):
        open_reference(tmp_path)
