"""``weft benchmark``: what an argument means, and one call from start to table."""

import csv
import itertools
import json
from pathlib import Path

import mdtraj
import numpy as np
import pytest

from apps.science.benchmark import model_kinds as kinds
from apps.science.cg.mapping.mapping import build_mapping
from apps.science.cg.prior.tables import PriorTables
from apps.science.cg.prior.torchmd_yaml import write_tables
from apps.science.errors import ConfigError, DataError
from apps.science.pcoords.tica import fit_tica
from apps.science.segments.frames import WeightedFrames
from apps.science.systems.info import SystemInfo
from campaign.commands.benchmark import (
    find_reference,
    parse_model,
    read_run,
    split_name,
)

N = 8
GIVEN = {
    "topology": None, "weights": None, "beads": "calpha", "lag_ps": 2.0,
    "features": "distances", "interval_ps": None,
}  # fmt: skip


def make_helix():
    turn = np.radians(100.0) * np.arange(N)
    return np.stack([2.3 * np.cos(turn), 2.3 * np.sin(turn), 1.5 * np.arange(N)], 1)


def make_frames(seed, n_frames=400, spread=0.4):
    rng = np.random.default_rng(seed)
    x = make_helix() + spread * rng.normal(size=(n_frames, N, 3))
    index = np.arange(n_frames) // (n_frames // 2)
    return WeightedFrames(
        x.astype("f4"), np.ones(n_frames), np.arange(n_frames) // 20, index,
        np.tile(np.arange(1.0, n_frames // 2 + 1), 2),
    )  # fmt: skip


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A run whose reference is a helix of eight C-alpha beads that shakes."""
    root = tmp_path / "runs" / "helix"
    topology = mdtraj.Topology()
    chain = topology.add_chain()
    for _ in range(N):
        residue = topology.add_residue("ALA", chain)
        topology.add_atom("CA", mdtraj.element.carbon, residue)
    (root / "system").mkdir(parents=True)
    native = mdtraj.Trajectory(make_helix()[None] / 10, topology)
    native.save_pdb(str(root / "system" / "protein.pdb"))
    info = SystemInfo(
        prepared_from="", sequence="A" * N, n_particles=N,
        recorded_atoms=list(range(N)), masses_amu=[12.0] * N, constraints=[],
        temperature_kelvin=310.0, friction_per_ps=1.0, timestep_fs=4.0, solvent="obc2",
        periodic=False, n_starts=1, start_names=["native"], start_probabilities=[1.0],
        start_energies_kcal_per_mol=[0.0], ca_rmsd_to_build_angstrom=[0.0],
    )  # fmt: skip
    (root / "system" / "system.json").write_text(info.model_dump_json())
    mapping = build_mapping(root / "system" / "protein.pdb", info, "calpha", "slice")
    mapping.write(root / "cg" / "mapping.json")
    frames = make_frames(0)
    frames.write(root / "reference" / "frames.h5")
    halves = [frames.positions[frames.trajectory == t] for t in (0, 1)]
    fit_tica(halves, 1.0, 2.0, out=root / "reference" / "tica.npz")
    (root / "resolved.yaml").write_text("system: {fold: helix}\n")
    types = mapping.types
    tables = PriorTables(
        ("bonds",),
        ("bonds",),
        bonds={
            (types[a], types[b]): (50.0, 3.8) for a, b in itertools.pairwise(range(N))
        },
    )
    write_tables(tables, root / "cg" / "prior.yaml")
    return root


def test_an_argument_says_what_to_judge(run_dir, tmp_path) -> None:
    prior, frames = run_dir / "cg" / "prior.yaml", run_dir / "reference" / "frames.h5"
    assert parse_model("go") == {"go": kinds.GoModel(1.0)}
    assert parse_model(f"bare={prior}") == {"bare": kinds.PriorAlone(prior)}
    assert parse_model(str(frames)) == {"frames": kinds.GivenFrames(frames)}
    system = run_dir / "system"
    assert parse_model(str(system)) == {"all_atom": kinds.AllAtomEngine(system)}
    checkpoint = run_dir / "models" / "weighted" / "checkpoints" / "best.pt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    assert parse_model(str(checkpoint)) == {
        "weighted": kinds.TrainedModel(checkpoint, prior)
    }
    trajectory, weights = tmp_path / "a.xtc", tmp_path / "w.npy"
    trajectory.touch()
    assert parse_model(f"msm={trajectory}@{weights}", interval_ps=2.0) == {
        "msm": kinds.GivenTrajectory(trajectory, weights, None, 2.0)
    }
    assert split_name("a/b=c") == (None, "a/b=c")


def test_a_run_is_its_benchmarked_models_weighted_first(run_dir) -> None:
    with pytest.raises(DataError, match="nothing to judge"):
        parse_model(str(run_dir))
    for model in ("unweighted", "weighted"):
        make_frames(1).write(run_dir / "benchmark" / model / "frames.h5")
    assert list(parse_model(str(run_dir))) == ["weighted", "unweighted"]
    assert list(parse_model(f"old={run_dir}")) == ["old_weighted", "old_unweighted"]


def test_what_is_not_there_or_no_frames_is_named(run_dir, tmp_path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        parse_model("nothing.pt")
    import h5py

    with h5py.File(tmp_path / "segments.h5", "w") as h5:
        h5.attrs["schema"] = "weft-segments-2"
    with pytest.raises(DataError, match="weft-segments-2 file"):
        parse_model(str(tmp_path / "segments.h5"))


def test_a_run_brings_its_native_and_temperature(run_dir, tmp_path) -> None:
    found = find_reference(run_dir, tmp_path, GIVEN, None, None)
    assert found.temperature_kelvin == 310.0
    np.testing.assert_allclose(found.read_native(), make_helix(), atol=0.01)
    hot = find_reference(run_dir, tmp_path, GIVEN, None, 400.0)
    assert hot.temperature_kelvin == 400.0
    (run_dir / "resolved.yaml").write_text("system: {sequence: AAAAAAAA}\n")
    assert read_run(run_dir).native is None
    with pytest.raises(ConfigError, match="TRAJECTORY@WEIGHTS"):
        find_reference(
            run_dir, tmp_path, GIVEN | {"weights": tmp_path / "w.npy"}, None, None
        )
    with pytest.raises(DataError, match="no reference yet"):
        find_reference(tmp_path, tmp_path, GIVEN, None, None)


def test_one_call_judges_ranks_and_writes(run_dir, weft) -> None:
    positions = make_frames(2).positions
    structure = mdtraj.load(str(run_dir / "system" / "protein.pdb"))
    good = mdtraj.Trajectory(positions / 10, structure.topology)
    good.save(str(weft.folder / "good.xtc"))
    rng = np.random.default_rng(3)
    np.save(weft.folder / "w.npy", rng.random(len(positions)))
    wide = make_frames(4, spread=1.2).write(weft.folder / "wide.h5")
    done = weft.call(
        "benchmark", run_dir, "good.xtc@w.npy", f"wide={wide}", "go", "--run-ps", "4",
        "--replicas", "8", "--frame-ps", "0.2", "--bootstrap", "20", "--device", "cpu",
        "--interval-ps", "1", "--out", "scores",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    body = json.loads((weft.folder / "scores" / "metrics.json").read_text())
    assert list(body["models"]) == ["good", "wide", "go"]
    assert body["ranking"][0]["model"] == "good"
    assert body["models"]["good"]["metrics"]["folded"]["details"]["delta_g_unit"] == (
        "kcal/mol"
    )
    with (weft.folder / "scores" / "table.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    gyration = {r["model"]: r for r in rows if r["metric"] == "gyration"}
    assert gyration["good"]["rank"] == "1"
    assert int(gyration["wide"]["rank"]) > 1
    assert "1. good" in done.stdout
    assert "Beware: The reference stays in one basin" in done.stdout
    assert "Not defined" in done.stdout


def test_a_brought_reference_is_made_once_and_bad_input_said_at_once(
    run_dir, weft
) -> None:
    structure = run_dir / "system" / "protein.pdb"
    topology = mdtraj.load(str(structure)).topology
    frames = make_frames(5)
    mdtraj.Trajectory(
        frames.positions / 10, topology, time=np.arange(len(frames.positions))
    ).save(str(weft.folder / "mine.xtc"))
    np.save(weft.folder / "few.npy", np.ones(7))

    def call(*more):
        return weft.call(
            "benchmark", "mine.xtc", "self=mine.xtc", "--topology", structure,
            "--lag-ps", "2", "--bootstrap", "20", "--out", "scores", *more,
        )  # fmt: skip

    done = call()
    assert done.returncode == 0, done.stderr
    (made,) = (weft.folder / "scores").glob("reference-*")
    before = (made / "frames.h5").stat().st_mtime_ns
    body = json.loads((weft.folder / "scores" / "metrics.json").read_text())
    kl = body["models"]["self"]["metrics"]["tic0"]["figures"]["kl"]
    assert kl["value"] == pytest.approx(0.0, abs=1e-12)
    assert call().returncode == 0
    assert (made / "frames.h5").stat().st_mtime_ns == before
    wrong = call("--weights", "few.npy")
    assert wrong.returncode == 1
    assert "there are 400 frames" in wrong.stderr.replace("\n", " ")
    again = weft.call("benchmark", made, "go", "--out", "scores")
    assert again.returncode == 2
    assert "--native" in again.stderr
