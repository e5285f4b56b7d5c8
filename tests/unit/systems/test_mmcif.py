"""mmCIF files are read as PDB files are, with the names of their authors."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.science.errors import StructureError
from apps.science.systems.check import check_system
from apps.science.systems.config import SystemConfig

CIF = """data_X
#
loop_
_atom_site.group_PDB
_atom_site.id
_atom_site.type_symbol
_atom_site.label_atom_id
_atom_site.label_comp_id
_atom_site.label_asym_id
_atom_site.label_seq_id
_atom_site.Cartn_x
_atom_site.Cartn_y
_atom_site.Cartn_z
"""


def to_cif(lines: list[str]) -> str:
    rows = [
        f"ATOM {line[6:11]} {line[76:78]} {line[12:16]} {line[17:20]} {line[21]} "
        f"{line[22:26]} {line[30:38]} {line[38:46]} {line[46:54]}\n"
        for line in lines
    ]
    return CIF + "".join(rows) + "#\n"


def test_mmcif_and_packed_files_are_read(tmp_path: Path, pdb: Any) -> None:
    lines = pdb.peptide("GYDPG")
    (tmp_path / "a.cif").write_text(to_cif(lines), encoding="utf-8")
    with gzip.open(tmp_path / "a.cif.gz", "wt") as handle:
        handle.write(to_cif(lines))
    with gzip.open(tmp_path / "a.pdb.gz", "wt") as handle:
        handle.write("\n".join(lines))
    expected = pdb.read(tmp_path, lines)
    for name in ("a.cif", "a.cif.gz", "a.pdb.gz"):
        (tmp_path / "renamed.pdb").write_bytes((tmp_path / name).read_bytes())
        for path in (tmp_path / name, tmp_path / "renamed.pdb"):
            config = SystemConfig(pdb=path)
            assert "GYDPG" in check_system(config)["Chains"]
    built = pdb.build(tmp_path / "a.cif")
    moved = [
        built.positions[0][a.index] - expected.residues[r.index].atoms[a.name]
        for r in built.topology.residues()
        for a in r.atoms()
        if a.element.symbol != "H"
    ]
    np.testing.assert_allclose(moved, 0, atol=2e-3)


CONN = """loop_
_atom_site.group_PDB
_atom_site.id
_atom_site.type_symbol
_atom_site.label_atom_id
_atom_site.label_alt_id
_atom_site.label_comp_id
_atom_site.label_asym_id
_atom_site.label_seq_id
_atom_site.pdbx_PDB_ins_code
_atom_site.Cartn_x
_atom_site.Cartn_y
_atom_site.Cartn_z
_atom_site.occupancy
_atom_site.auth_seq_id
_atom_site.auth_asym_id
_atom_site.pdbx_PDB_model_num
"""


def test_mmcif_has_the_names_of_its_authors(tmp_path: Path, pdb: Any) -> None:
    """Two chains of one letter, an ion, two models, a bond that cannot be kept."""

    def row(line: str, asym: str, z: float, model: int, kind: str = "ATOM") -> str:
        xyz = f"{line[30:46]} {float(line[46:54]) + z:.3f}"
        return (
            f"{kind} 1 {line[76:78]} {line[12:16].strip()} . {line[17:20]} {asym} "
            f"{line[22:26]} ? {xyz} 1.0 {int(line[22:26]) + 100} XX {model}\n"
        )

    one, two = pdb.peptide("GKA"), pdb.peptide("GDA")
    zinc = pdb.hetero("ZN", "ZN", element="ZN")
    rows = "".join(
        "".join(row(line, "A", 0.5 * model, model) for line in one)
        + "".join(row(line, "B", 20 + 0.5 * model, model) for line in two)
        + row(zinc, "C", 0, model, "HETATM")
        for model in (1, 2)
    )
    path = tmp_path / "entry.cif"
    path.write_text(f"data_X\n{CONN}{rows}#\n", encoding="utf-8")
    with pytest.raises(StructureError, match="ZN 201 of chain XX is an ion"):
        check_system(SystemConfig(pdb=path))
    said = check_system(SystemConfig(pdb=path, leave_out=["ZN"]))
    assert "GLY 101 to ALA 103 (GKA)" in said["Chains"]
    assert "(GDA)" in said["Chains"]
    assert said["Model"] == "1 (of 2 in the file)"
    assert pdb.build(path, leave_out=["ZN"]).sequence == "GKAGDA"
    bond = (
        "_struct_conn.id covale1\n_struct_conn.conn_type_id covale\n"
        "_struct_conn.ptnr1_label_atom_id NZ\n_struct_conn.ptnr1_auth_asym_id XX\n"
        "_struct_conn.ptnr1_auth_comp_id LYS\n_struct_conn.ptnr1_auth_seq_id 102\n"
        "_struct_conn.ptnr2_label_atom_id CG\n_struct_conn.ptnr2_auth_asym_id XX\n"
        "_struct_conn.ptnr2_auth_comp_id ASP\n_struct_conn.ptnr2_auth_seq_id 102\n"
    )
    path.write_text(f"data_X\n{CONN}{rows}#\n{bond}#\n", encoding="utf-8")
    with pytest.raises(StructureError, match="LINK bonds NZ of LYS 102"):
        check_system(SystemConfig(pdb=path, leave_out=["ZN"]))
