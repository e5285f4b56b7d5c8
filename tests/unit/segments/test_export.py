"""What other tools read of an exported run is what the shards hold."""

import json
import subprocess
import sys
from pathlib import Path

import h5py
import mdtraj
import numpy as np
import pytest

from apps.science.errors import ConfigError, DataError, ShapeMismatchError, WeightError
from apps.science.propagators.base import Frames, States
from apps.science.segments import export, topology
from apps.science.segments.closed import read_segments
from apps.science.we.storage import journal, shards
from campaign.declared import Stage, write_stages
from campaign.layout.run_dir import RunDir

N_ATOMS, N_FRAMES, N_ITERATIONS, N_SEGMENTS, PS = 12, 3, 4, 7, 0.5
WEFT = Path(sys.executable).with_name("weft")


@pytest.fixture
def we(tmp_path: Path) -> Path:
    """Write a WE folder of random frames in shards of three, out of order."""
    folder = tmp_path / "run" / "we"
    for n_iter in range(1, N_ITERATIONS + 1):
        write_iteration(folder, n_iter)
    spec = {
        "seed": 1,
        "pcoord": {"kind": "cartesian"},
        "starts": str(folder / "starts.npz"),
        "propagator": {
            "kind": "toy", "n_steps": N_FRAMES * 250, "n_steps_per_frame": 250,
            "timestep_fs": 2.0, "n_particles": N_ATOMS,
        },
    }  # fmt: skip
    (folder / "propagation.json").write_text(json.dumps(spec))
    np.savez(
        folder / "starts.npz",
        positions=start_positions(),
        velocities=start_positions(),
    )
    (folder.parent / "resolved.yaml").write_text("name: run\n")
    write_stages(RunDir(folder.parent), [Stage("sample", we="we")])
    return folder


def start_positions() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, N_ATOMS, 3)) * 10


def parents_of(n_iter: int) -> list[int]:
    return [-1] * N_SEGMENTS if n_iter == 1 else [*range(N_SEGMENTS)]


def weights_of(n_iter: int) -> np.ndarray:
    weights = np.random.default_rng(n_iter).exponential(size=N_SEGMENTS)
    return weights / weights.sum()


def write_iteration(we: Path, n_iter: int) -> None:
    rng = np.random.default_rng(n_iter)
    parents, places, written = parents_of(n_iter), {}, []
    for first in (3, 0, 6):
        ids = [s for s in range(first, first + 3) if s < N_SEGMENTS]
        positions = rng.normal(size=(len(ids), N_FRAMES, N_ATOMS, 3)) * 10
        states = States(positions[:, -1], positions[:, -1])
        frames = Frames(
            positions.astype("f4"), -positions, states, np.zeros(len(ids), bool)
        )
        places |= {s: (len(written), row) for row, s in enumerate(ids)}
        written.append(
            shards.write_shard(
                shards.shard_path(we / "shards", n_iter, first), n_iter, ids,
                [parents[s] for s in ids], [0] * len(ids), positions[:, :, 0, :1],
                frames, 1.0,
            )
        )  # fmt: skip
    record = journal.IterationRecord(
        n_iter, 0, list(range(N_SEGMENTS)), parents, weights_of(n_iter).tolist(),
        [places[s] for s in range(N_SEGMENTS)], [b.path for b in written],
        [b.digest for b in written], {},
    )  # fmt: skip
    journal.write_record(we / "journal", record)


def stored(we: Path, first: int = 1, last: int = N_ITERATIONS) -> np.ndarray:
    """Return all frames, (n_frames, n_atoms, 3), Angstrom, by (n_iter, seg_id)."""
    found = []
    for n_iter in range(first, last + 1):
        for segment in journal.read_record(we / "journal", n_iter).segments:
            with h5py.File(segment.shard) as h5:
                found.append(h5["positions"][segment.row])
    return np.concatenate(found)


def points() -> mdtraj.Topology:
    return topology.make_points(N_ATOMS)


@pytest.mark.parametrize(("kind", "precision"), [("dcd", 1e-5), ("xtc", 0.00501)])
def test_mdtraj_reads_what_the_shards_hold(we, tmp_path, kind, precision) -> None:
    out = tmp_path / "out"
    done = export.export_trajectory(we, points(), out, kind, 1, N_ITERATIONS, PS)
    trajectory = mdtraj.load(out / f"segments.{kind}", top=out / "topology.pdb")
    expected = stored(we)
    assert done.n_frames == len(trajectory) == len(expected)
    assert done.n_segments == N_ITERATIONS * N_SEGMENTS
    np.testing.assert_allclose(trajectory.xyz * 10, expected, atol=precision, rtol=0)
    assert sorted(p.name for p in out.iterdir()) == sorted(p.name for p in done.files)


@pytest.mark.parametrize("kind", ["dcd", "xtc"])
def test_a_folder_of_other_letters_is_written_to(we, tmp_path, kind) -> None:
    out = tmp_path / "größe [b] \N{SNOWMAN}"
    done = export.export_trajectory(we, points(), out, kind, 1, 2, PS)
    assert sorted(p.name for p in out.iterdir()) == sorted(p.name for p in done.files)
    (out / f"segments.{kind}").rename(tmp_path / f"plain.{kind}")
    trajectory = mdtraj.load(tmp_path / f"plain.{kind}", top=out / "topology.pdb")
    assert len(trajectory) == done.n_frames


def read_weights(path: Path) -> np.ndarray:
    return np.genfromtxt(path, delimiter=",", names=True)


def test_every_frame_has_its_row_of_weights(we, tmp_path) -> None:
    out = tmp_path / "out"
    export.export_trajectory(we, points(), out, "xtc", 2, 3, PS)
    rows = read_weights(out / "weights.csv")
    keys = list(zip(rows["n_iter"], rows["seg_id"], rows["frame"], strict=True))
    assert keys == sorted(keys)
    assert len(keys) == len(set(keys)) == 2 * N_SEGMENTS * N_FRAMES
    trajectory = mdtraj.load(out / "segments.xtc", top=out / "topology.pdb")
    np.testing.assert_allclose(
        trajectory.xyz[:, 0, 0] * 10, rows["pcoord_0"], atol=0.00501
    )
    began = (rows["n_iter"] - 1) * N_FRAMES * PS
    np.testing.assert_allclose(trajectory.time, began + (rows["frame"] + 1) * PS)


def test_weights_sum_to_one_in_every_iteration(we, tmp_path) -> None:
    export.export_trajectory(we, points(), tmp_path, "dcd", 1, N_ITERATIONS, PS)
    rows = read_weights(tmp_path / "weights.csv")
    for n_iter in range(1, N_ITERATIONS + 1):
        mine = rows[rows["n_iter"] == n_iter]
        for frame in range(N_FRAMES):
            weights = mine["weight"][mine["frame"] == frame]
            np.testing.assert_array_equal(weights, weights_of(n_iter))
            assert weights.sum() == pytest.approx(1.0, abs=1e-12)


def test_a_failed_export_leaves_no_trajectory(we, tmp_path) -> None:
    out = tmp_path / "out"
    shard = shards.shard_path(we / "shards", 3, 0)
    with h5py.File(shard, "r+") as h5:
        h5["positions"][0, 0, 0, 0] += 1
    with pytest.raises(DataError, match="was altered"):
        export.export_trajectory(we, points(), out, "dcd", 1, 4, PS)
    assert [p.name for p in out.iterdir()] == ["topology.pdb"]


def test_weights_that_are_lost_are_refused(we) -> None:
    record = journal.read_record(we / "journal", 2)
    record.weights[0] = 0.0
    journal.write_record(we / "journal", record)
    with pytest.raises(WeightError, match="iteration 2 sum to"):
        list(read_segments(we, 1, 4))


def test_frames_that_are_not_finite_fit_in_dcd_alone(we, tmp_path) -> None:
    ran_away = np.full((1, N_FRAMES, 2, 3), np.nan, dtype="f4")
    states = States(ran_away[:, 0], ran_away[:, 0])
    block = shards.write_shard(
        tmp_path / "one" / "shards" / "x.h5", 1, [0], [-1], [1],
        np.zeros((1, N_FRAMES, 1)), Frames(ran_away, ran_away, states, np.ones(1)), 1.0,
    )  # fmt: skip
    record = journal.IterationRecord(
        1, 0, [0], [-1], [1.0], [(0, 0)], [block.path], [block.digest], {}
    )
    journal.write_record(tmp_path / "one" / "journal", record)
    pair = topology.make_points(2)
    with pytest.raises(DataError, match="--format dcd"):
        export.export_trajectory(tmp_path / "one", pair, tmp_path, "xtc", 1, 1, PS)
    export.export_trajectory(tmp_path / "one", pair, tmp_path, "dcd", 1, 1, PS)
    read = mdtraj.load(tmp_path / "segments.dcd", top=tmp_path / "topology.pdb")
    assert np.isnan(read.xyz).all()


def test_a_topology_of_another_system_is_refused(we, tmp_path) -> None:
    with pytest.raises(ShapeMismatchError, match=r"5 atoms .* have 12"):
        export.export_trajectory(we, topology.make_points(5), tmp_path, "dcd", 1, 1, PS)


@pytest.mark.parametrize(
    ("text", "found"),
    [(None, (1, 9)), ("3:7", (3, 7)), ("3:", (3, 9)), (":7", (1, 7)), ("4", (4, 4))],
)
def test_ranges_include_both_ends(text, found) -> None:
    assert export.parse_range(text, 9) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [("7:3", "cannot be exported"), ("0:3", "closed 1 to 9"), ("3:10", "3 to 10"),
     ("a:b", "no range"), ("1:2:3", "no range")],
)  # fmt: skip
def test_ranges_that_are_none_are_refused(text, words) -> None:
    with pytest.raises(ConfigError, match=words):
        export.parse_range(text, 9)


def weft(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [WEFT, "export", *arguments], cwd=folder, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


@pytest.mark.parametrize("form", ["dcd", "xtc"])
def test_the_command_writes_into_the_run_folder(we, form) -> None:
    above = we.parents[1]
    done = weft("run", "--format", form, "--iterations", "2:3", folder=above)
    assert done.returncode == 0, done.stderr
    assert f"Wrote {2 * N_SEGMENTS * N_FRAMES} frames" in done.stdout
    assert f"run/export/sample_{form}" in done.stdout.replace("\n", "")
    assert (above / "run" / "export" / f"sample_{form}").is_dir()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "not a run folder"),
        (["run", "--stage", "benchmark_weighted"], "Those that began: sample"),
        (["run", "--iterations", "5:9"], "closed 1 to 4"),
        (["run", "--format", "pdb"], "dcd, xtc, westpa"),
    ],
)
def test_wrong_input_is_named_with_exit_code_2(we, arguments, words) -> None:
    done = weft(*arguments, folder=we.parents[1])
    assert done.returncode == 2
    assert words in done.stderr
