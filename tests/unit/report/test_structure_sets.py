"""Which structures are drawn: the native one as the benchmark takes it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from apps.science.cg.mapping.config import BeadRule
from apps.science.cg.mapping.mapping import Mapping, build_mapping
from apps.science.segments.frames import WeightedFrames
from apps.science.systems.fold import build_fold
from apps.science.systems.native_folds import read_fold
from apps.science.systems.structure import format_pdb
from campaign.layout.protein_dir import ProteinDir
from campaign.report.parts.judged.structure_sets import (
    gather_structures,
    read_native_beads,
)
from campaign.report.parts.learnt_source import LearntSource

RULES = [
    BeadRule(name="CA", atoms=["CA"]),
    BeadRule(name="SC", selection="sidechain", optional=True),
]


@dataclass(frozen=True)
class Heavy:
    """The heavy atoms of a PDB file: nothing is rigid."""

    masses_amu: list[float]
    constraints: tuple[tuple[int, int], ...] = ()


def write_chignolin(root: Path, system: dict[str, str]) -> tuple[LearntSource, Mapping]:
    paths = ProteinDir(root)
    paths.system.mkdir(parents=True)
    pdb = paths.system / "protein.pdb"
    text = format_pdb(build_fold(read_fold("chignolin")))
    pdb.write_text(text)
    n_atoms = sum(line.startswith("ATOM") for line in text.splitlines())
    mapping = build_mapping(pdb, Heavy([12.0] * n_atoms), RULES)
    mapping.write(paths.mapping)
    paths.resolved.write_text(yaml.safe_dump({"name": "c", "system": system}))
    return LearntSource(paths), mapping


def test_the_native_structure_is_that_of_a_fold(tmp_path: Path) -> None:
    source, mapping = write_chignolin(tmp_path / "a", {"fold": "chignolin"})
    native = read_native_beads(source)
    assert native is not None
    calpha = native[[k for k, name in enumerate(mapping.names) if name == "CA"]]
    steps = np.linalg.norm(np.diff(calpha, axis=0), axis=1)
    np.testing.assert_allclose(steps, 3.8, atol=0.1)
    by_sequence, _ = write_chignolin(tmp_path / "b", {"sequence": "YYDPETGTWY"})
    assert read_native_beads(by_sequence) is None


def test_courses_lie_on_the_native_structure(tmp_path: Path) -> None:
    source, mapping = write_chignolin(tmp_path / "a", {"fold": "chignolin"})
    native = read_native_beads(source)
    assert native is not None
    n = len(native)
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    positions = np.repeat((native @ turn + 5.0)[None], 40, axis=0)
    zero = np.zeros(40, dtype=int)
    frames = WeightedFrames(positions, np.ones(40), zero, zero, np.arange(40.0))
    sets = gather_structures(source, frames, {"weighted": frames}, 20)
    assert sets.ghost[0] == "the native structure"
    assert max(t.rmsd for t in sets.traces["weighted"]) < 1e-6
    assert sets.residues == mapping.resids
    assert len(sets.residues) == n > 10  # side beads have their residue's number
    times = [t.time_ps for t in sets.thin(5)["reference"]]
    assert len(times) == 5
    assert (times[0], times[-1]) == (0.0, 39.0)
