"""What a structure says is kept: chains, states, caps, conformers, hands."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openmm import app, unit

from apps.science.errors import StructureError
from apps.science.systems.chains import measure_hand
from apps.science.systems.check import check_system
from apps.science.systems.config import SystemConfig
from apps.science.systems.reading import Structure
from apps.science.systems.structure import Residue, one_letter_sequence, split_molecules

FAR = (0.0, 0.0, 20.0)


def sequences(found: Structure) -> list[str]:
    return [one_letter_sequence(c) for c in split_molecules(found.residues)]


@pytest.mark.parametrize("letter", ["", "A"])
def test_a_ter_parts_chains_of_one_letter_or_none(
    tmp_path: Path, pdb: Any, letter: str
) -> None:
    one = pdb.alter(pdb.peptide("GYD"), chain=letter)
    same = pdb.alter(pdb.peptide("GAA"), chain=letter, shift=FAR)
    on = pdb.alter(pdb.peptide("GAA"), chain=letter, shift=FAR, first=4)
    for two in (same, on):
        found = pdb.read(tmp_path, [*one, "TER", *two, "TER"])
        assert sequences(found) == ["GYD", "GAA"]
        assert len(found.residues) == 6


def test_chains_are_parted_by_segment_letter_and_numbers_that_go_back(
    tmp_path: Path, pdb: Any
) -> None:
    def peptide(**how: Any) -> list[str]:
        lines: list[str] = pdb.alter(pdb.peptide("GAA"), **how)
        return [line for line in lines if line[12:16].strip() != "OXT"]

    for one, two in (
        ({"segment": "PROA"}, {"segment": "PROB", "first": 4}),
        ({"chain": "A"}, {"chain": "B"}),
        ({"first": 10}, {"first": 1}),
        ({"first": 1}, {"first": 1}),
    ):
        lines = [*peptide(**one), *peptide(shift=FAR, **two)]
        assert sequences(pdb.read(tmp_path, lines)) == ["GAA", "GAA"]


def test_interleaved_chains_are_put_in_order(tmp_path: Path, pdb: Any) -> None:
    one = pdb.peptide("GA")
    two = pdb.alter(pdb.peptide("SV"), chain="B", shift=FAR)
    lines = [line for pair in zip(one, two, strict=False) for line in pair]
    lines += two[len(one) :]
    assert sequences(pdb.read(tmp_path, lines)) == ["GA", "SV"]


def test_the_second_chain_is_simulated_too(tmp_path: Path, pdb: Any) -> None:
    two = pdb.alter(pdb.peptide("SV"), chain="", shift=FAR)
    lines = [*pdb.alter(pdb.peptide("GA"), chain=""), "TER", *two, "TER"]
    built = pdb.build(pdb.write(tmp_path, lines), caps=True)
    assert built.sequence == "GASV"
    assert [len(list(c.residues())) for c in built.topology.chains()] == [4, 4]
    assert built.start_names == ["native"]
    assert built.taken["No extended start"] == "the protein has 2 chains"
    assert "2 ACE, 2 NME" in built.taken["Added"]


def test_caps_may_share_a_number_and_have_the_names_of_charmm(
    tmp_path: Path, pdb: Any
) -> None:
    lines = pdb.peptide("E", caps=True)
    shared = [f"{line[:22]}   1{line[26:]}" for line in lines]
    names = {
        " CH3 ACE": " CAY ACE", " C   ACE": " CY  ACE", " O   ACE": " OY  ACE",
        " N   NME": " NT  NME", " C   NME": " CAT NME",
    }  # fmt: skip
    charmm = [
        line[:12] + names.get(line[12:20], line[12:20]) + line[20:] for line in shared
    ]
    inside = [line[:17] + "GLU" + line[20:] for line in charmm]
    for text in (shared, charmm, inside):
        found = pdb.read(tmp_path, text)
        assert [r.name for r in found.residues] == ["ACE", "GLU", "NME"]
    built = pdb.build(pdb.write(tmp_path, inside))
    assert built.positions.shape[1] == 27
    assert built.start_names == ["native", "extended"]


def test_two_capped_chains_of_one_letter(tmp_path: Path, pdb: Any) -> None:
    one = pdb.peptide("GY", caps=True)
    two = pdb.alter(pdb.peptide("ET", caps=True), first=11, shift=FAR)
    assert sequences(pdb.read(tmp_path, [*one, *two])) == ["GY", "ET"]


def test_one_cap_is_kept_and_the_other_end_is_charged(tmp_path: Path, pdb: Any) -> None:
    lines = [line for line in pdb.peptide("GA", caps=True) if "NME" not in line]
    built = pdb.build(pdb.write(tmp_path, lines))
    names = [r.name for r in built.topology.residues()]
    assert names == ["ACE", "GLY", "ALA"]
    assert built.start_names == ["native", "extended"]
    assert "OXT of ALA 3" in built.taken["Added"]


def test_an_amide_end_is_kept_in_every_start(tmp_path: Path, pdb: Any) -> None:
    lines = [line for line in pdb.peptide("GY", caps=True) if "ACE" not in line]
    lines = [line for line in lines if "C   NME" not in line]
    amide = [line.replace("NME", "NH2") for line in lines]
    at = next(k for k, line in enumerate(amide) if "NH2" in line)
    after = [*amide[:at], "TER", f"HETATM{amide[at][6:]}"]
    assert [r.name for r in pdb.read(tmp_path, after).residues][-1] == "NH2"
    built = pdb.build(pdb.write(tmp_path, amide))
    last = list(built.topology.residues())[-1]
    assert sorted(a.element.symbol for a in last.atoms()) == ["H", "H", "N"]
    assert built.start_names == ["native", "extended"]
    assert "NH2" in built.taken["Chains"]


STATES = {
    "HIP": ("HIP", "HSP", "HISH"), "HID": ("HID", "HSD"), "HIE": ("HIE", "HSE"),
    "ASH": ("ASH", "ASPP"), "GLH": ("GLH", "GLUP"), "LYN": ("LYN", "LSN"),
    "CYM": ("CYM",),
}  # fmt: skip
HYDROGENS = {
    "HIP": 18 - 10, "HID": 7, "HIE": 7, "ASH": 5, "GLH": 7, "LYN": 12, "CYM": 4,
}  # fmt: skip
"""How many each has inside a chain, H and HA included."""
BASES = {"HIP": "H", "HID": "H", "HIE": "H", "ASH": "D", "GLH": "E", "LYN": "K",
         "CYM": "C"}  # fmt: skip


@pytest.mark.parametrize("state", STATES)
def test_named_protonation_states_are_kept(
    tmp_path: Path, pdb: Any, state: str
) -> None:
    plain = pdb.peptide(f"G{BASES[state]}G")
    usual = plain[5][17:20]
    for name in STATES[state]:
        lines = pdb.alter(plain, names={usual: name})
        found = pdb.read(tmp_path, lines)
        assert found.residues[1].variant == state
    lines = pdb.alter(plain, names={usual: STATES[state][0]})
    built = pdb.build(pdb.write(tmp_path, lines))
    residue = list(built.topology.residues())[1]
    light = [a for a in residue.atoms() if a.element.symbol == "H"]
    assert len(light) == HYDROGENS[state]
    assert f"{state} 2" in built.taken["Protonation"]
    assert built.positions.shape[0] == 2


@pytest.mark.parametrize("name", ["PDBFile", "PDBxFile"])
def test_states_come_back_from_what_openmm_writes(
    tmp_path: Path, pdb: Any, name: str
) -> None:
    states = {"HIS": "HIP", "ASP": "ASH", "GLU": "GLH", "LYS": "LYN", "CYS": "CYM"}
    lines = pdb.alter(pdb.peptide("GHDEKCG"), names=states)
    built = pdb.build(pdb.write(tmp_path, lines))
    path = tmp_path / "written"
    with path.open("w") as handle:
        getattr(app, name).writeFile(
            built.topology, built.positions[0] * unit.angstrom, handle
        )
    said = check_system(SystemConfig(pdb=path))
    assert "HIP 2, ASH 3, GLH 4, LYN 5, CYM 6" in said["Protonation"]


def test_hydrogens_of_the_file_say_the_state(tmp_path: Path, pdb: Any) -> None:
    lines = pdb.peptide("GHG")
    at = [k for k, line in enumerate(lines) if "HIS" in line]
    for names, state in ((("HD1",), "HID"), (("HE2",), "HIE"), (("HD1", "HE2"), "HIP")):
        light = [f"{lines[at[0]][:12]} {name}{lines[at[0]][16:76]} H" for name in names]
        text = [*lines[: at[-1] + 1], *light, *lines[at[-1] + 1 :]]
        assert pdb.read(tmp_path, text).residues[1].variant == state
    named = pdb.alter(text, names={"HIS": "HID"})
    with pytest.raises(StructureError, match=r"named HID.*those of HIP"):
        pdb.read(tmp_path, named)


def test_a_protonated_end_is_refused(tmp_path: Path, pdb: Any) -> None:
    lines = pdb.alter(pdb.peptide("GD"), names={"ASP": "ASH"})
    with pytest.raises(StructureError, match=r"amber14 has no ASH\. Give caps: true"):
        pdb.read(tmp_path, lines)
    assert pdb.read(tmp_path, lines, caps=True).residues[-1].variant == "ASH"


def conform(lines: list[str], residue: str, letter: str, by: float) -> list[str]:
    return [
        f"{ln[:16]}{letter}{ln[17:30]}{float(ln[30:38]) + by:8.3f}{ln[38:]}"
        for ln in lines
        if ln[17:20] == residue
    ]


def test_the_most_complete_conformer_is_taken_whole(tmp_path: Path, pdb: Any) -> None:
    plain = pdb.peptide("GYG")
    head = [line for line in plain if int(line[22:26]) == 1]
    tail = [line for line in plain if int(line[22:26]) == 3]
    one, two = conform(plain, "TYR", "A", 0.0), conform(plain, "TYR", "B", 0.1)
    mixed = [line for pair in zip(one[:7], two[:7], strict=True) for line in pair]
    found = pdb.read(tmp_path, [*head, *mixed, *two[7:], *tail])
    tyrosine = found.residues[1]
    assert len(tyrosine.atoms) == 12
    assert tyrosine.atoms["N"][0] == pytest.approx(float(two[0][30:38]))
    assert "TYR 2 of chain A: B (the most complete)" in found.remarks["Conformers"]
    whole = [*head, *one, *two, *tail]
    found = pdb.read(tmp_path, whole)
    assert found.residues[1].atoms["N"][0] == pytest.approx(float(one[0][30:38]))
    found = pdb.read(tmp_path, whole, conformer="B")
    assert found.residues[1].atoms["N"][0] == pytest.approx(float(two[0][30:38]))


def test_two_residues_in_one_place_are_a_question(tmp_path: Path, pdb: Any) -> None:
    serine, threonine = pdb.peptide("GSG"), pdb.peptide("GTG")
    head = [line for line in serine if int(line[22:26]) == 1]
    tail = [line for line in serine if int(line[22:26]) == 3]
    one, two = conform(serine, "SER", "A", 0), conform(threonine, "THR", "B", 0)
    for between in ([*one, *two], [*one[:2], *two[:2], *one[2:], *two[2:]]):
        lines = [*head, *between, *tail]
        with pytest.raises(StructureError, match=r"SER and THR in one place.*conform"):
            pdb.read(tmp_path, lines)
        for letter, sequence in (("A", "GSG"), ("B", "GTG")):
            found = pdb.read(tmp_path, lines, conformer=letter)
            assert sequences(found) == [sequence]
            assert f"3 of chain A: {letter}" in found.remarks["Conformers"] or (
                f"2 of chain A: {letter} (asked for)" in found.remarks["Conformers"]
            )


def test_mirrored_residues_under_l_names_are_refused(tmp_path: Path, pdb: Any) -> None:
    lines = pdb.alter(pdb.peptide("GAVAG"), mirror=True)
    with pytest.raises(StructureError, match=r"ALA 2 .*D amino acid.*residue is DAL"):
        pdb.read(tmp_path, lines)


def hands(built: Any, start: int) -> list[float]:
    return [
        np.sign(
            measure_hand(
                Residue(
                    r.name, r.id, "",
                    {a.name: built.positions[start][a.index] for a in r.atoms()},
                )
            )
        )
        for r in built.topology.residues()
    ]  # fmt: skip


def test_every_start_has_the_hands_of_the_structure(tmp_path: Path, pdb: Any) -> None:
    names = {"ALA": "DAL", "VAL": "DVA", "ILE": "DIL", "PRO": "DPR"}
    lines = pdb.alter(pdb.peptide("GAVPI"), mirror=True, names=names)
    built = pdb.build(pdb.write(tmp_path, lines))
    assert built.sequence == "GAVPI"
    assert built.start_names == ["native", "extended"]
    for start in (0, 1):
        assert hands(built, start) == [0, -1, -1, -1, -1]
    assert "DAL 2" in built.taken["Right-handed (D)"]


@pytest.mark.parametrize(
    ("letter", "missing"),
    [("T", ("OG1",)), ("T", ("CB", "CG2")), ("I", ("CG2", "CD1"))],
)
def test_a_rebuilt_branch_has_the_right_hand(
    tmp_path: Path, pdb: Any, letter: str, missing: tuple[str, ...]
) -> None:
    lines = [
        line
        for line in pdb.peptide(f"G{letter}G")
        if line[22:26] != "   2" or line[12:16].strip() not in missing
    ]
    built = pdb.build(pdb.write(tmp_path, lines))  # refused where a hand is wrong
    assert built.sequence == f"G{letter}G"
    assert " ".join(missing) in built.taken["Added"]


def test_disulfide_bridges_are_found_and_said(tmp_path: Path, pdb: Any) -> None:
    one = pdb.peptide("GCG")
    sulphur = next(line for line in one if line[12:16].strip() == "SG")
    two = pdb.alter(one, chain="B", mirror=False, shift=(0, 0, 12))
    gap = 12 - 2.05
    moved = [
        pdb.alter([line], shift=(0, 0, -gap))[0] if " SG " in line else line
        for line in two
    ]
    lines = [*one, "TER", *moved, "TER"]
    assert pdb.read(tmp_path, lines).bridges == [(1, 4)]
    check = SystemConfig(pdb=pdb.write(tmp_path, lines))
    assert (
        "CYS 2 of chain A to CYS 2 of chain B (2.05 Angstrom)"
        in (check_system(check)["Disulfide bridges"])
    )
    ssbond = f"SSBOND   1 CYS A    2    CYS B    2{'':24}1555   1555  2.05"
    assert sulphur
    pdb.read(tmp_path, [ssbond, *lines])
    with pytest.raises(StructureError, match=r"SSBOND bonds SG .*12\.00 Angstrom"):
        pdb.read(tmp_path, [ssbond, *one, "TER", *two])
    lonely = pdb.alter(one, names={"CYS": "CYX"})
    with pytest.raises(StructureError, match="no other sulphur"):
        pdb.read(tmp_path, lonely)
    thiol = pdb.alter(lines[: len(one)], names={"CYS": "CYM"})
    with pytest.raises(StructureError, match="without its hydrogen"):
        pdb.read(tmp_path, [*thiol, *lines[len(one) :]])
