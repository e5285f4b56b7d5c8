"""Other tools read the segments of a finished alanine campaign."""

import re
import shlex
import shutil
from pathlib import Path

import mdtraj
import numpy as np
from westpa.analysis import HDF5MDTrajectory, Run

PAGE = Path(__file__).parents[2] / "docs" / "weighted-ensemble.md"


def test_the_commands_of_the_page_export_the_run(uninterrupted, weft) -> None:
    shutil.copytree(uninterrupted, weft.folder / "runs" / uninterrupted.name)
    said = re.findall(r"^\$ (weft export .*)$", PAGE.read_text(), re.MULTILINE)
    assert len(said) == 3
    for command in said:
        done = weft.call(*shlex.split(command)[1:])
        assert done.returncode == 0, done.stderr
    run = weft.folder / "runs" / uninterrupted.name
    check_trajectory(run / "export" / "sample_dcd", "dcd", n_atoms=22)
    n_iter = check_trajectory(weft.folder / "frames", "xtc", n_atoms=22)
    assert set(n_iter) == {3, 4, 5, 6, 7}
    check_westpa(run / "export" / "benchmark_weighted_westpa")


def check_trajectory(folder: Path, kind: str, n_atoms: int) -> np.ndarray:
    """Check bond lengths and weights; return n_iter of each frame."""
    trajectory = mdtraj.load(folder / f"segments.{kind}", top=folder / "topology.pdb")
    rows = np.genfromtxt(folder / "weights.csv", delimiter=",", names=True)
    assert trajectory.n_atoms == n_atoms
    assert len(trajectory) == len(rows)
    pairs = [[a.index, b.index] for a, b in trajectory.topology.bonds]
    assert len(pairs) == n_atoms - 1
    lengths = mdtraj.compute_distances(trajectory, pairs)
    assert lengths.min() > 0.08
    assert lengths.max() < 0.18
    for n_iter in np.unique(rows["n_iter"]):
        first = (rows["n_iter"] == n_iter) & (rows["frame"] == 0)
        np.testing.assert_allclose(rows["weight"][first].sum(), 1.0, atol=1e-9)
    return rows["n_iter"]


def check_westpa(folder: Path) -> None:
    read = HDF5MDTrajectory()
    read.segment_collector.show_progress = False
    with Run(str(folder / "west.h5")) as run:
        trace = run.iteration(run.num_iterations).walker(0).trace()
        traced = read(trace)
    assert [atom.name for atom in traced.topology.atoms] == ["C", "N", "CA", "C", "N"]
    assert len(traced) > len(trace)
    bonds = [[a.index, b.index] for a, b in traced.topology.bonds]
    assert mdtraj.compute_distances(traced, bonds).max() < 0.2
