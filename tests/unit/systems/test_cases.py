"""The structures of ../shared/cases, where they are: kept right, or refused."""

from pathlib import Path
from typing import Any

import pytest

from apps.science.cg.mapping.mapping import build_mapping
from apps.science.errors import WeftError
from apps.science.systems.info import read_system_info
from apps.science.systems.prepare import prepare_system

CASES = Path(__file__).parents[3].parent / "shared" / "cases"
FOLDERS = sorted(
    path.parent
    for path in CASES.glob("*/campaign.yaml")
    if any(path.parent.glob("in.*"))
)

REFUSED = {
    "01_": "SER and THR in one place", "01b": "ALA and SER in one place",
    "07_": "is DAL", "09_": r"leave_out: \[ZN\]", "15_": "GLY 301 of chain A",
    "15b": "GLY 301 of chain B", "19_": r"leave_out: \[NA\+, CL-\]",
    "21_": "a ring", "27_": "tabs",
}  # fmt: skip
LETTERS = {
    "02_": "GYDPETGGAAAAAG", "02c": "GYDPETGTWGAAA", "03_": "GYDPETGGAAAAAG",
    "04_": "E", "06_": "GHDEKG", "08_": "GYDPETG", "11_": "GYDPG", "17_": "GYDPETG",
    "23_": "GYDPETGA", "25_": "GYDPG",
}  # fmt: skip
SAID = {
    "02_": ("Chains", "; 7 residues"), "23_": ("Chains", "ACE, NME; A: 4 residues"),
    "06_": ("Protonation", "HIP 2, ASH 3, GLH 4, LYN 5"), "08_": ("Chains", "NH2"),
    "17_": ("Conformers", "TYR 2 of chain A: B (the most complete), not A"),
}  # fmt: skip


def load(folder: Path) -> Any:
    from campaign.config import check_campaign, load_campaign

    config = load_campaign(folder / "campaign.yaml")
    check_campaign(config)
    return config


@pytest.mark.skipif(not FOLDERS, reason="the shared cases are not here")
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_a_case_is_kept_right_or_refused(folder: Path, tmp_path: Path) -> None:
    key = folder.name[:3]
    if key in REFUSED or key not in LETTERS:
        with pytest.raises(WeftError, match=REFUSED.get(key, "")):
            load(folder)
        return
    (system,) = load(folder).systems.values()
    quick = system.model_copy(
        update={"equilibration_ps": 0.02, "n_minimisation_steps": 20}
    )
    prepared = prepare_system(quick, 1, tmp_path / "system")
    info = read_system_info(prepared)
    mapping = build_mapping(
        prepared / "protein.pdb", prepared / "system.json", system.beads
    )
    n_beads = len(LETTERS[key]) if system.beads == "calpha" else 5
    assert mapping.n_beads == n_beads
    assert len(mapping.bonds) == n_beads - info.taken["Chains"].count("; ") - 1
    assert info.sequence == LETTERS[key]
    heading, sentence = SAID.get(key, ("Left out", "nothing"))
    assert sentence in info.taken[heading]
