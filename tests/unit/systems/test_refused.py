"""What cannot be kept is refused with a sentence, or left out where that is asked."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from apps.science.errors import StructureError
from apps.science.systems.check import check_system
from apps.science.systems.config import SystemConfig
from apps.science.systems.structure import one_letter_sequence

FAR = (0.0, 0.0, 20.0)

OTHERS = {
    "ZN": ("ZN", "ZN", "an ion, and solvent gbn2.*solvent: tip3pfb"),
    "Na+": ("Na+", "", "an ion, and solvent gbn2"),
    "SOD": ("SOD", "", "an ion, and solvent gbn2"),
    "FE": ("FE", "FE", "an ion that weft has no parameters for"),
    "NAG": ("C1", "C", "a sugar"),
    "DG": ("P", "P", "a nucleotide"),
    "ATP": ("PG", "P", "a ligand"),
    "NO": ("N", "N", r"leave_out: \['NO'\]"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_no_template_fits_is_named_or_left_out(
    tmp_path: Path, pdb: SimpleNamespace, name: str
) -> None:
    atom, element, said = OTHERS[name]
    lines = [*pdb.peptide("GAG"), "TER", pdb.hetero(name, atom, element=element)]
    with pytest.raises(StructureError, match=f"(?i){name[:2]}.* 101 of chain A is.*"):
        pdb.read(tmp_path, lines)
    with pytest.raises(StructureError, match=said):
        pdb.read(tmp_path, lines)
    for entry in (name, f"{name} 101", f"{name} 101 of chain A"):
        found = pdb.read(tmp_path, lines, leave_out=[entry])
        assert [r.name for r in found.left_out] == [name.upper()]
        assert len(found.residues) == 3
    with pytest.raises(StructureError, match="does not hold"):
        pdb.read(tmp_path, lines, leave_out=["XYZ"])


def test_ions_are_kept_in_explicit_water(tmp_path: Path, pdb: SimpleNamespace) -> None:
    lines = [
        *pdb.peptide("GAG"), "TER", pdb.hetero("ZN", "ZN", element="ZN"),
        pdb.hetero("Na+", "Na+", at=(30, 30, 30), number=102),
    ]  # fmt: skip
    found = pdb.read(tmp_path, lines, solvent="tip3pfb")
    assert [r.name for r in found.residues[3:]] == ["ZN", "NA+"]
    path = pdb.write(tmp_path, lines)
    said = check_system(SystemConfig(pdb=path, solvent="tip3pfb"))
    assert said["Ions"] == "ZN 101 of chain A, NA+ 102 of chain A"


@pytest.mark.parametrize("name", ["HOH", "WAT", "SOL", "TIP3", "DOD"])
def test_water_gives_way_to_the_solvent(
    tmp_path: Path, pdb: SimpleNamespace, name: str
) -> None:
    lines = [*pdb.peptide("GAG"), "TER"]
    lines += [pdb.hetero(name, "O", number=k, element="O") for k in (1, 1, 2)]
    path = pdb.write(tmp_path, lines)
    said = check_system(SystemConfig(pdb=path))
    assert said["Left out"] == "3 waters (no water is simulated)"
    said = check_system(SystemConfig(pdb=path, leave_out=[name]))
    assert "as campaign.yaml says: " in said["Left out"]


@pytest.mark.parametrize("chain", ["A", "B"])
@pytest.mark.parametrize("caps", [False, True])
def test_an_amino_acid_by_itself_is_a_ligand(
    tmp_path: Path, pdb: SimpleNamespace, chain: str, caps: bool
) -> None:
    lone = pdb.alter(pdb.peptide("GA")[:4], chain=chain, first=301, shift=FAR)
    lone = ["HETATM" + line[6:] for line in lone]
    lines = [*pdb.peptide("GYD"), "TER", *lone]
    entry = f"GLY 301 of chain {chain}"
    with pytest.raises(StructureError, match=f"{entry} is an amino acid by itself"):
        pdb.read(tmp_path, lines, caps=caps)
    found = pdb.read(tmp_path, lines, leave_out=[entry])
    assert one_letter_sequence(found.residues) == "GYD"
    if chain == "B":
        assert len(pdb.read(tmp_path, lines, leave_out=["chain B"]).residues) == 3


def test_modified_residues_are_replaced_where_that_is_said(
    tmp_path: Path, pdb: SimpleNamespace
) -> None:
    plain = pdb.peptide("GMG")
    lines = [
        line.replace(" SD ", "SE  ") if " SD " in line else line
        for line in pdb.alter(plain, names={"MET": "MSE"})
    ]
    with pytest.raises(StructureError, match=r"MSE 2 .*replace: \{MSE: MET\}"):
        pdb.read(tmp_path, lines)
    found = pdb.read(tmp_path, lines, replace={"mse": "met"})
    assert "SD" in found.residues[1].atoms
    assert found.remarks["Replaced"] == "MSE 2 of chain A as MET"
    serine = pdb.alter(pdb.peptide("GSG"), names={"SER": "SEP"})
    at = next(k for k, line in enumerate(serine) if " OG " in line)
    phosphate = serine[at].replace(" OG ", " P  ")[:30] + "  30.000" * 3
    serine.insert(at + 1, phosphate + serine[at][54:])
    found = pdb.read(tmp_path, serine, replace={"SEP": "SER"})
    assert found.remarks["Replaced"] == "SEP 2 of chain A as SER, without P"
    with pytest.raises(StructureError, match="no such residue"):
        pdb.read(tmp_path, plain, replace={"MSE": "MET"})
    with pytest.raises(ValidationError, match="one of the 20"):
        SystemConfig(pdb=tmp_path / "protein.pdb", replace={"MSE": "SEC"})


def test_keys_about_a_file_need_one() -> None:
    with pytest.raises(ValidationError, match="leave_out is about what a PDB file"):
        SystemConfig(sequence="AA", leave_out=["ZN"])


def close_ring(pdb: SimpleNamespace) -> list[str]:
    """Return two residues, the last C moved to a bond from the first N."""
    lines: list[str] = pdb.peptide("GAG")
    nitrogen = lines[0]
    ring = []
    for line in lines:
        if line[12:16].strip() == "OXT":
            continue
        near = f"{float(nitrogen[30:38]) - 1.33:8.3f}{nitrogen[38:54]}"
        is_last_c = line[12:16].strip() == "C" and line[22:26].strip() == "3"
        ring.append(line[:30] + near + line[54:] if is_last_c else line)
    return ring


def test_rings_and_other_bonds_are_refused(
    tmp_path: Path, pdb: SimpleNamespace
) -> None:
    for caps in (False, True):
        with pytest.raises(StructureError, match="chain is a ring"):
            pdb.read(tmp_path, close_ring(pdb), caps=caps)
    plain = [line for line in pdb.peptide("KAD") if " OXT " not in line]
    numbers = {line[12:16].strip() + line[22:26].strip(): line[6:11] for line in plain}
    conect = f"CONECT{numbers['NZ1']}{numbers['CG3']}"
    with pytest.raises(StructureError, match="CONECT bonds NZ of LYS 1"):
        pdb.read(tmp_path, [*plain, conect])
    ends = f"CONECT{numbers['N1']}{numbers['C3']}"
    with pytest.raises(StructureError, match="CONECT bonds N of LYS 1"):
        pdb.read(tmp_path, [*plain, ends])
    link = f"LINK         NZ  LYS A   1                 CG  ASP A   3{'':5}1555   1555"
    with pytest.raises(StructureError, match="LINK bonds NZ of LYS 1"):
        pdb.read(tmp_path, [link, *plain])
    usual = [
        f"CONECT{numbers[one]}{numbers[two]}"
        for one, two in (("N1", "CA1"), ("C1", "N2"))
    ]
    assert len(pdb.read(tmp_path, [*plain, *usual]).residues) == 3


@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0])
def test_chains_on_top_of_each_other(
    tmp_path: Path, pdb: SimpleNamespace, shift: float
) -> None:
    one = pdb.peptide("GYDPETG")
    two = pdb.alter(one, chain="B", shift=(shift, shift, 0))
    with pytest.raises(StructureError, match=r"on top of each|through each other"):
        pdb.read(tmp_path, [*one, "TER", *two, "TER"])


def test_a_ter_within_a_peptide_bond(tmp_path: Path, pdb: SimpleNamespace) -> None:
    lines = pdb.peptide("GAG")
    with pytest.raises(StructureError, match=r"a TER parts GLY 1 .*peptide bond joins"):
        pdb.read(tmp_path, [*lines[:4], "TER", *lines[4:]])
    other = [*lines[:4], *pdb.alter(lines[4:], chain="B")]
    with pytest.raises(StructureError, match="another chain letter parts"):
        pdb.read(tmp_path, other)


def test_a_residue_that_stands_twice(tmp_path: Path, pdb: SimpleNamespace) -> None:
    lines = pdb.peptide("GAG")
    said = r"atom CB of residue ALA 2 .* line 7 and line 10"
    with pytest.raises(StructureError, match=said):
        pdb.read(tmp_path, [*lines[:6], lines[8], *lines[6:]])
    with pytest.raises(StructureError, match="on top of each other"):
        pdb.read(tmp_path, [*lines, "TER", *lines])


def test_a_gap_before_a_hetatm_is_a_gap(tmp_path: Path, pdb: SimpleNamespace) -> None:
    one = [line for line in pdb.peptide("GA") if " OXT " not in line]
    two = pdb.alter(pdb.peptide("AG"), first=5, shift=FAR)
    gap = ["HETATM" + line[6:] if "ALA" in line else line for line in two]
    with pytest.raises(StructureError, match="broken between ALA 2"):
        pdb.read(tmp_path, [*one, *gap])


def test_unknown_atoms_are_named(tmp_path: Path, pdb: SimpleNamespace) -> None:
    lines = [line.replace(" OH  TYR", " OX  TYR") for line in pdb.peptide("GYG")]
    with pytest.raises(StructureError, match=r"TYR 2 .* has the atoms OX"):
        pdb.read(tmp_path, lines)


def test_models_are_counted_and_chosen(tmp_path: Path, pdb: SimpleNamespace) -> None:
    one = pdb.peptide("GAG")
    two = pdb.alter(one, shift=(0, 0, 1))
    lines = ["MODEL        1", *one, "ENDMDL", "MODEL        2", *two, "ENDMDL"]
    first = pdb.read(tmp_path, lines)
    assert first.remarks["Model"] == "1 (of 2 in the file)"
    second = pdb.read(tmp_path, lines, model=2)
    at = [found.residues[0].atoms["N"][2] for found in (first, second)]
    assert at[1] - at[0] == pytest.approx(1)
    with pytest.raises(StructureError, match="no model 7: found 1, 2"):
        pdb.read(tmp_path, lines, model=7)
    assert "Model" not in pdb.read(tmp_path, one).remarks
    frames = pdb.read(tmp_path, [*one, "END", *two, "END"])
    assert frames.remarks["Model"] == "1 (of 2 in the file)"
    part = pdb.alter(two[4:], shift=FAR)
    chains = pdb.read(tmp_path, [*one, "END", *part, "END"])
    assert one_letter_sequence(chains.residues) == "GAGAG"


def test_the_parts_of_an_assembly_are_no_models(
    tmp_path: Path, pdb: SimpleNamespace
) -> None:
    one = pdb.peptide("GAG")
    for two, said in (
        (pdb.alter(one, shift=FAR), "lie apart and are one rigid shape"),
        (pdb.alter(one, shift=FAR, chain="B"), "hold different atoms"),
    ):
        lines = ["MODEL        1", *one, "ENDMDL", "MODEL        2", *two, "ENDMDL"]
        with pytest.raises(StructureError, match=said):
            pdb.read(tmp_path, lines)
        assert len(pdb.read(tmp_path, lines, model=2).residues) == 3


def deuterate(line: str, name: str, element: str) -> str:
    at = "   9.000" * 3
    return f"{line[:12]} {name:<3}{line[16:30]}{at}{line[54:76]}{element:>2}"


@pytest.mark.parametrize("element", ["D", ""])
def test_deuterium_becomes_hydrogen_and_is_said(
    tmp_path: Path, pdb: SimpleNamespace, element: str
) -> None:
    lines = pdb.peptide("GHG")
    at = next(k for k, line in enumerate(lines) if "HIS" in line)
    lines[at:at] = [
        deuterate(lines[at], "D", element),
        deuterate(lines[at], "DD1", element),
    ]
    found = pdb.read(tmp_path, lines)
    assert found.remarks["Deuterium"] == "2 atoms, simulated as hydrogen"
    assert found.residues[1].variant == "HID"


def rewrite(lines: list[str], how: str) -> bytes:
    text = "\n".join([*lines, "END", ""])
    changed = {
        "crlf": text.replace("\n", "\r\n").encode(),
        "bom": b"\xef\xbb\xbf" + text.encode(),
        "utf16": text.encode("utf-16"),
        "lower": text.lower().encode(),
        "no elements": "\n".join(ln[:66] for ln in lines).encode(),
        "old columns": "\n".join(
            f"{ln[:72]}1ABC{k:4d}" for k, ln in enumerate(lines)
        ).encode(),
        "element shifted": "\n".join(f"{ln[:77]}{ln[76:78]}" for ln in lines).encode(),
        "latin1": b"REMARK   1 \xe9t\xe9\n" + text.encode(),
    }
    return changed[how]


@pytest.mark.parametrize(
    "how",
    ["crlf", "bom", "utf16", "lower", "no elements", "old columns",
     "element shifted", "latin1"],
)  # fmt: skip
def test_files_written_oddly_are_read(
    tmp_path: Path, pdb: SimpleNamespace, how: str
) -> None:
    lines = pdb.peptide("GYDPETG")
    path = tmp_path / "odd.pdb"
    path.write_bytes(rewrite(lines, how))
    assert "(GYDPETG)" in check_system(SystemConfig(pdb=path))["Chains"]


def test_numbers_of_every_kind_are_read(tmp_path: Path, pdb: SimpleNamespace) -> None:
    lines = pdb.peptide("GAGAG")
    names = ["  -1 ", "   0 ", "  52 ", "  52A", "A000 "]
    texts = [f"{ln[:22]}{names[int(ln[22:26]) - 1]}{ln[27:]}" for ln in lines]
    texts = [f"ATOM  A000{k % 10}{ln[11:]}" for k, ln in enumerate(texts)]
    found = pdb.read(tmp_path, texts)
    assert [r.number for r in found.residues] == ["-1", "0", "52", "52A", "A000"]
    path = pdb.write(tmp_path, texts)
    assert "from 1" in check_system(SystemConfig(pdb=path))["Numbers"]
    wide = [f"ATOM {100000 + k}{ln[11:]}" for k, ln in enumerate(lines)]
    assert len(pdb.read(tmp_path, wide).residues) == 5


BAD_FILES = {
    "empty": (b"", r"is empty \(0 bytes\)"),
    "blank": (b"\n \n", "is empty"),
    "html": (b"<!DOCTYPE html><html><body>404</body></html>", "a web page"),
    "xml": (b"<?xml version='1.0'?><PDBx/>", "an XML file"),
    "json": (b'{"a": 1}', "a JSON file"),
    "binary": (b"\x83\xabmmtf\x00\x00\x01", "a binary file"),
    "gro": (b"Protein in water\n    2\n" + b"    1GLY      N    1   0.126   1.624"
            b"   1.679\n    1GLY     CA    2   0.190   1.661   1.747\n", "a GROMACS"),
    "pdbqt": (b"REMARK  x\nROOT\nATOM      1  N   GLY A   1\nENDROOT\n", "PDBQT"),
    "mol2": (b"@<TRIPOS>MOLECULE\n", "a MOL2 file"),
    "cut gzip": (b"\x1f\x8b\x08\x00\x00\x00", "cut off or damaged"),
    "text": (b"hello\n", "holds no protein"),
    "cif without atoms": (b"data_X\n_entry.id X\n", "holds no protein"),
    "tabs": (b"ATOM\t1\tN\tGLY\tA\t1\t0.0\t1.0\t2.0\n", "has tabs"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_FILES)
def test_other_files_are_named_for_what_they_are(tmp_path: Path, name: str) -> None:
    content, said = BAD_FILES[name]
    path = tmp_path / "given.pdb"
    path.write_bytes(content)
    with pytest.raises(StructureError, match=said):
        check_system(SystemConfig(pdb=path))


@pytest.mark.parametrize(
    ("value", "said"),
    [("     nan", "nowhere"), ("     inf", "nowhere"),
     ("********", "no coordinates"), ("        ", "no coordinates")],
)  # fmt: skip
def test_coordinates_that_are_none(
    tmp_path: Path, pdb: SimpleNamespace, value: str, said: str
) -> None:
    lines = pdb.peptide("GAG")
    lines[2] = lines[2][:38] + value + lines[2][46:]
    with pytest.raises(StructureError, match=f"line 3 .*{said}"):
        pdb.read(tmp_path, lines)


def test_what_is_only_said(tmp_path: Path, pdb: SimpleNamespace) -> None:
    lines = pdb.peptide("GAG")
    lines[4] = lines[4].replace("  1.00", "  0.00", 1)
    unseen = "REMARK 465     GLY A     0"
    said: dict[str, Any] = pdb.read(tmp_path, [unseen, *lines]).remarks
    assert said["Occupancy"] == "1 heavy atoms of occupancy 0 are taken"
    assert said["Not seen"].startswith("1 residues")
    seqres = "SEQRES   1 A    5  GLY ALA GLY ALA GLY"
    assert pdb.read(tmp_path, [seqres, *lines]).remarks["Not seen"].startswith("2 ")


def test_ends_without_charge_are_refused(tmp_path: Path, pdb: SimpleNamespace) -> None:
    lines = pdb.peptide("GAG")

    def protonate(line: str, name: str) -> str:
        return f"{line[:12]} {name:<3}{line[16:30]}{'   9.000' * 3}{line[54:76]} H"

    neutral = [protonate(lines[0], "H1"), protonate(lines[0], "H2")]
    acid = protonate(lines[-1], "HXT")
    charged = [*neutral, protonate(lines[0], "H3")]
    for text, end in (([*neutral, *lines], "GLY 1"), ([*lines, acid], "GLY 3")):
        with pytest.raises(StructureError, match=f"{end} of chain A ends its chain"):
            pdb.read(tmp_path, text)
        assert pdb.read(tmp_path, text, caps=True)
    assert pdb.read(tmp_path, [*charged, *lines])


def test_an_extended_start_that_cannot_be_is_refused(
    tmp_path: Path, pdb: SimpleNamespace
) -> None:
    two = pdb.alter(pdb.peptide("GA"), chain="B", shift=FAR)
    path = pdb.write(tmp_path, [*pdb.peptide("GA"), "TER", *two, "TER"])
    with pytest.raises(StructureError, match=r"extended_start: true .* 2 chains"):
        check_system(SystemConfig(pdb=path, extended_start=True))
