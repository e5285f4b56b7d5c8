"""What SystemConfig refuses before anything queues, and in which words."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from apps.science.errors import StructureError
from apps.science.systems.check import check_system
from apps.science.systems.config import (
    UNFOLDING_STARTS,
    SystemConfig,
)
from apps.science.systems.native_folds import list_folds
from apps.science.systems.taken import describe_taken, take_structure

HEAVY_ATOMS = """\
ATOM      1  N   ALA A   7      -0.525   1.363   0.000  1.00  0.00           N
ATOM      2  CA  ALA A   7       0.000   0.000   0.000  1.00  0.00           C
ATOM      3  C   ALA A   7       1.520   0.000   0.000  1.00  0.00           C
ATOM      4  N   GLY A   8       2.110   1.190   0.000  1.00  0.00           N
ATOM      5  CA  GLY A   8       3.560   1.330   0.000  1.00  0.00           C
ATOM      6  C   GLY A   8       4.100   2.750   0.000  1.00  0.00           C
"""


def write_pdb(folder: Path, text: str) -> SystemConfig:
    path = folder / "protein.pdb"
    path.write_text(text, encoding="utf-8")
    return SystemConfig(pdb=path)


def test_a_bad_letter_is_named_with_its_position() -> None:
    with pytest.raises(ValidationError, match=r"'B' at position 3 .*ACDEFGHIK"):
        SystemConfig(sequence="GYB")


def test_an_unknown_fold_lists_those_that_exist() -> None:
    with pytest.raises(ValidationError, match=r"'villin'.*bba, chignolin"):
        SystemConfig(fold="villin")


def test_a_missing_pdb_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"nowhere\.pdb does not exist"):
        SystemConfig(pdb=tmp_path / "nowhere.pdb")
    with pytest.raises(ValidationError, match="is a folder"):
        SystemConfig(pdb=tmp_path)
    with pytest.raises(ValidationError, match="cannot be reached"):
        SystemConfig(pdb=tmp_path / ("long" * 100))


@pytest.mark.parametrize("given", [{}, {"sequence": "AA", "fold": "bba"}])
def test_exactly_one_source_is_needed(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="exactly one of sequence, fold and pdb"):
        SystemConfig.model_validate(given)


def test_a_single_residue_needs_caps() -> None:
    with pytest.raises(ValidationError, match="caps: true"):
        SystemConfig(sequence="A")
    assert SystemConfig(sequence="a", caps=True).sequence == "A"


def test_a_long_time_step_needs_heavy_hydrogens() -> None:
    with pytest.raises(ValidationError, match="at most 2 fs"):
        SystemConfig(sequence="AA", timestep_fs=4, hydrogen_mass_amu=1.008)
    SystemConfig(sequence="AA", timestep_fs=2, hydrogen_mass_amu=1.008)


def test_no_extended_start_in_explicit_water() -> None:
    with pytest.raises(ValidationError, match="explicit water"):
        SystemConfig(fold="bba", solvent="tip3pfb", extended_start=True)
    assert not SystemConfig(fold="bba", solvent="tip3pfb").has_extended_start
    assert SystemConfig(fold="bba").has_extended_start
    assert not SystemConfig(sequence="AA").has_extended_start


@pytest.mark.parametrize(
    "where", [{"fold": "bba", "solvent": "tip3pfb"}, {"sequence": "AA"}]
)
def test_no_hot_run_in_explicit_water_or_from_a_sequence(where) -> None:
    with pytest.raises(ValidationError, match="unfolds a native structure in gbn2"):
        SystemConfig(**where, unfolding_starts=4)
    assert take_structure(SystemConfig(**where)).n_unfolding == 0


def test_a_hot_run_stands_beside_a_native_and_an_extended_start() -> None:
    assert take_structure(SystemConfig(fold="bba")).n_unfolding == UNFOLDING_STARTS
    alone = SystemConfig(fold="bba", extended_start=False)
    assert take_structure(alone).n_unfolding == 0
    asked = SystemConfig(fold="bba", extended_start=False, unfolding_starts=3)
    said = describe_taken(take_structure(asked), asked)
    assert said["Starts"] == "native, 3 of a hot, unfolding run"


def test_every_shipped_fold_is_a_valid_system() -> None:
    for name in list_folds():
        config = SystemConfig(fold=name)
        check_system(config)
        assert config.letters is not None
        assert len(config.letters) >= 10


def test_a_good_pdb_passes_and_its_water_is_ignored(tmp_path: Path) -> None:
    water = "HETATM    7  O   HOH A 101       9.000   9.000   9.000\n"
    check_system(write_pdb(tmp_path, HEAVY_ATOMS + water))


def test_a_residue_without_template_is_named_with_its_number(tmp_path: Path) -> None:
    with pytest.raises(StructureError, match="NLE 8 of chain A is not in the amber14"):
        check_system(write_pdb(tmp_path, HEAVY_ATOMS.replace("GLY", "NLE")))


def test_an_unreadable_line_is_named(tmp_path: Path) -> None:
    with pytest.raises(StructureError, match="line 2 has no coordinates"):
        check_system(
            write_pdb(tmp_path, HEAVY_ATOMS.replace("   0.000   0.000", "x", 1))
        )


def test_a_file_without_atoms_is_no_protein(tmp_path: Path) -> None:
    with pytest.raises(StructureError, match="holds no protein"):
        check_system(write_pdb(tmp_path, "data_1ABC\n_entry.id 1ABC\n"))


def test_a_gap_in_the_chain_is_named(tmp_path: Path) -> None:
    broken = HEAVY_ATOMS.replace("2.110", "7.110")
    with pytest.raises(StructureError, match=r"broken between ALA 7 .* and GLY 8"):
        check_system(write_pdb(tmp_path, broken))


def test_a_missing_backbone_atom_is_named(tmp_path: Path) -> None:
    lines = HEAVY_ATOMS.splitlines(keepends=True)
    with pytest.raises(StructureError, match=r"ALA 7 of chain A lacks .* CA"):
        check_system(write_pdb(tmp_path, "".join(lines[:1] + lines[2:])))


def test_validate_prints_what_is_simulated(tmp_path: Path) -> None:
    example = Path(__file__).parents[3] / "examples" / "02_alanine_dipeptide"
    text = (example / "campaign.yaml").read_text(encoding="utf-8")
    (tmp_path / "campaign.yaml").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [Path(sys.executable).with_name("weft"), "validate", "campaign.yaml"],
        cwd=tmp_path, text=True, capture_output=True, check=True,
    )  # fmt: skip
    assert "What is simulated:\n  Source: sequence A\n" in done.stdout
    assert "Chains: A: 1 residue, ALA 1 (A), ACE, NME\n" in done.stdout
    assert "Added: 1 ACE, 1 NME, hydrogens\n" in done.stdout


def test_villin_is_refused_for_its_norleucines() -> None:
    shared = Path(__file__).parents[3].parent / "shared/data/structures/villin_2f4k.pdb"
    if not shared.exists():
        pytest.skip("the shared structures are not here")
    with pytest.raises(StructureError, match="NLE 65 of chain A"):
        check_system(SystemConfig(pdb=shared))
