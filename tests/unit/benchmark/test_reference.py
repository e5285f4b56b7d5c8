"""Plain MD walks: killed and continued to the same bits, collected with lineages."""

from pathlib import Path

import numpy as np
import pytest

from apps.science.benchmark import reference
from apps.science.cg.mapping.mapping import build_mapping
from apps.science.errors import ConfigError, DataError
from apps.science.propagators import openmm as openmm_propagator
from apps.science.segments.frames import read_frames
from apps.science.systems.info import read_system_info


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the code under test may catch it."""


def test_a_killed_walk_continues_to_the_same_bits(
    alanine_system: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = reference.run_walk(
        alanine_system, 0, 0, 32.0, 0.4, 5, tmp_path / "whole.h5"
    )
    advance = openmm_propagator.Propagator.advance
    calls = 0

    def advance_until_killed(*given):  # type: ignore[no-untyped-def]
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Killed
        return advance(*given)

    cut = tmp_path / "cut.h5"
    with monkeypatch.context() as patch:
        patch.setattr(openmm_propagator.Propagator, "advance", advance_until_killed)
        with pytest.raises(Killed):
            reference.run_walk(alanine_system, 0, 0, 32.0, 0.4, 5, cut)
    assert not cut.exists()
    assert len(list(tmp_path.glob(".cut.h5.*.chunks/chunk_*.npz"))) == 2
    reference.run_walk(alanine_system, 0, 0, 32.0, 0.4, 5, cut)
    assert cut.read_bytes() == whole.read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_walks_differ_and_a_finished_one_stays(
    alanine_system: Path, tmp_path: Path
) -> None:
    one, two = (
        reference.run_walk(
            alanine_system, "extended", k, 4.0, 0.4, 5, tmp_path / f"walk_{k:03d}.h5",
            progress=tmp_path / "progress.json", n_walks=2,
        )
        for k in (0, 1)
    )  # fmt: skip
    first, second = reference.read_walk(one), reference.read_walk(two)
    assert first.positions.shape == (10, 22, 3)
    np.testing.assert_allclose(first.time_ps, 0.4 * np.arange(1, 11))
    assert np.abs(first.positions - second.positions).max() > 0.1
    before = one.stat().st_mtime_ns
    reference.run_walk(alanine_system, 0, 0, 4.0, 0.4, 5, one)
    assert one.stat().st_mtime_ns == before
    assert '"done": 2' in (tmp_path / "progress.json").read_text(encoding="utf-8")


def test_lineages_are_blocks_of_one_walk_and_tica_is_fitted_on_them(
    alanine_system: Path, tmp_path: Path
) -> None:
    walks = [
        reference.run_walk(alanine_system, 0, k, 10.0, 0.4, 5, tmp_path / f"w{k}.h5")
        for k in range(2)
    ]
    info = read_system_info(alanine_system)
    mapping = build_mapping(alanine_system / "protein.pdb", info, "backbone")
    mapping_path = mapping.write(tmp_path / "mapping.json")
    out = reference.collect_reference(walks, mapping_path, tmp_path / "f.h5", 4.0)
    frames = read_frames(out)
    assert frames.positions.shape == (50, 5, 3)
    assert frames.lineage.tolist() == (
        [0] * 10 + [1] * 10 + [2] * 5 + [3] * 10 + [4] * 10 + [5] * 5
    )
    assert frames.trajectory.tolist() == [0] * 25 + [1] * 25
    np.testing.assert_array_equal(frames.weight, 1.0)
    model = reference.fit_tica_on_walks(
        walks, mapping_path, 0.8, "dihedrals", tmp_path / "tica.npz"
    )
    assert model.exists()


def test_times_must_be_whole_multiples(alanine_system: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"frame interval of 0\.41 ps"):
        reference.run_walk(alanine_system, 0, 0, 4.1, 0.41, 5, tmp_path / "w.h5")
    with pytest.raises(ConfigError, match="walk length of 1 ps"):
        reference.run_walk(alanine_system, 0, 0, 1.0, 0.4, 5, tmp_path / "w.h5")
    with pytest.raises(ConfigError, match=r"'native'.*extended"):
        reference.run_walk(alanine_system, "native", 0, 4.0, 0.4, 5, tmp_path / "w.h5")


def test_a_missing_walk_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="reference stage"):
        reference.read_walk(tmp_path / "walk_000.h5")
