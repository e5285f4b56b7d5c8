"""A WE folder finds its system, coordinate and starts where the run lies now."""

import json
from pathlib import Path

import pytest

from apps.science.we.spec import PropagationSpec, read_spec


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a run folder with a WE run and a benchmark, and files they name."""
    root = tmp_path / "here" / "mine"
    for name in ("system/system.xml", "reference/tica.npz", "benchmark/a/starts.npz"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def specify(root: Path, starts: Path) -> PropagationSpec:
    return PropagationSpec(
        1,
        {"kind": "openmm", "system_dir": str(root / "system"), "n_steps": 2},
        {"kind": "tica", "model": str(root / "reference" / "tica.npz")},
        str(starts),
    )


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("folder", ["we", "benchmark/a"])
def test_a_moved_run_reads_its_own_files(
    run: Path, folder: str, absolute: bool
) -> None:
    starts = {"we": "system/system.xml", "benchmark/a": "benchmark/a/starts.npz"}
    spec = specify(run, run / starts[folder])
    path = run / folder / "propagation.json"
    path.parent.mkdir(exist_ok=True)
    spec.write(path)
    assert read_spec(path) == spec
    assert str(run) not in path.read_text()
    if absolute:  # as earlier versions wrote it
        path.write_text(json.dumps(vars(spec)))
    moved = run.parents[1] / "there" / "another"
    moved.parent.mkdir()
    run.rename(moved)
    assert read_spec(moved / folder / "propagation.json") == specify(
        moved, moved / starts[folder]
    )


def test_what_lies_far_away_stays_where_it_is(tmp_path: Path) -> None:
    far = PropagationSpec(1, {"kind": "toy"}, {"kind": "cartesian"}, "/far/starts.npz")
    deep = tmp_path / "a" / "b" / "c" / "d" / "e"
    deep.mkdir(parents=True)
    assert "/far/starts.npz" in far.write(deep / "propagation.json").read_text()
    assert read_spec(deep / "propagation.json") == far
