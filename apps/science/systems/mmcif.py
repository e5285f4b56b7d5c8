"""The tables of a PDBx/mmCIF file as records of atoms and bonds."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from apps.science.errors import StructureError
from apps.science.systems.records import AtomKey, AtomRecord, BondRecord, FileRecords

_NEEDED: Final = ("Cartn_x", "Cartn_y", "Cartn_z")
_BLANK: Final = ("?", ".")
_KINDS: Final = {"disulf": "SSBOND", "covale": "LINK", "metalc": "LINK"}

Columns = dict[str, list[str]]


def read_mmcif(path: Path, text: str, model: int | None = None) -> FileRecords:
    """Read the atoms of one model of an mmCIF file, the first where none is asked for.

    Names are the authors' where the file has them, as in the PDB file of the same
    entry; chains end where ``label_asym_id`` changes.

    Raises
    ------
    StructureError
        If the file holds no table of atoms, or one that cannot be read.
    """
    from Bio.PDB.MMCIF2Dict import MMCIF2Dict

    try:
        tables = MMCIF2Dict(io.StringIO(text))
    except (ValueError, IndexError, KeyError, StopIteration) as error:
        raise StructureError(
            f"{path} cannot be read as mmCIF: {error}. Mend the file, or fetch it "
            "again."
        ) from None
    sites: Columns = {
        key.removeprefix("_atom_site."): column
        for key, column in tables.items()
        if key.startswith("_atom_site.")
    }
    _check_sites(path, sites)
    models, rows, chosen = _choose_model(path, sites, model)
    flags = tables.get("_pdbx_unobs_or_zero_occ_residues.occupancy_flag", [])
    return FileRecords(
        [_read_site(path, sites, row) for row in rows],
        list(_read_bonds(tables)),
        models if len(models) > 1 else [],
        chosen,
        flags.count("1"),
    )


def _check_sites(path: Path, sites: Columns) -> None:
    lacks = [key for key in _NEEDED if key not in sites]
    for name in ("comp_id", "atom_id"):
        if f"label_{name}" not in sites and f"auth_{name}" not in sites:
            lacks.append(f"label_{name}")
    if lacks:
        raise StructureError(
            f"{path} holds no protein: its table of atoms (_atom_site) lacks "
            f"{', '.join(lacks)}. Give an mmCIF file with coordinates."
        )
    lengths = {len(column) for column in sites.values()}
    if len(lengths) > 1:
        raise StructureError(
            f"{path} cannot be read as mmCIF: its table of atoms is cut off or has "
            "rows of different length. Fetch the file again."
        )


def _choose_model(
    path: Path, sites: Columns, model: int | None
) -> tuple[list[str], list[int], str]:
    numbers = sites.get("pdbx_PDB_model_num") or ["1"] * len(sites["Cartn_x"])
    models = list(dict.fromkeys(numbers))
    chosen = models[0] if model is None else str(model)
    if chosen not in models:
        raise StructureError(
            f"{path} has no model {model}: found {', '.join(models)}. Choose one of "
            "them as model."
        )
    return models, [i for i, number in enumerate(numbers) if number == chosen], chosen


def _read_site(path: Path, sites: Columns, row: int) -> AtomRecord:
    def read(*keys: str) -> str:
        for key in keys:
            column = sites.get(key)
            if column is not None and column[row] not in _BLANK:
                return column[row]
        return ""

    where = f"atom {read('id') or row + 1}"
    try:
        position = np.array([float(sites[key][row]) for key in _NEEDED])
    except ValueError:
        position = np.full(3, np.nan)
    if not np.isfinite(position).all():
        raise StructureError(
            f"{path}: {where} places itself nowhere "
            f"({' '.join(sites[key][row] for key in _NEEDED)!r}). Coordinates are "
            "numbers in Angstrom: mend the file."
        )
    occupancy = read("occupancy")
    return AtomRecord(
        where=where,
        serial=read("id"),
        hetero=read("group_PDB").upper() == "HETATM",
        name=read("auth_atom_id", "label_atom_id").upper(),
        altloc=read("label_alt_id"),
        resname=read("auth_comp_id", "label_comp_id").upper(),
        chain=read("auth_asym_id", "label_asym_id"),
        number=read("auth_seq_id", "label_seq_id") + read("pdbx_PDB_ins_code"),
        segment=read("label_asym_id"),
        part=0,
        position=position,
        occupancy=float(occupancy) if _is_number(occupancy) else 1.0,
        element=read("type_symbol").upper(),
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_bonds(tables: Columns) -> Iterator[BondRecord]:
    kinds = tables.get("_struct_conn.conn_type_id", [])
    for row, kind in enumerate(kinds):
        known = next((k for start, k in _KINDS.items() if kind.startswith(start)), None)
        if known is None:
            continue
        ends = [_read_end(tables, row, k) for k in (1, 2)]
        copies = {
            tables.get(f"_struct_conn.ptnr{k}_symmetry", ["?"] * len(kinds))[row]
            for k in (1, 2)
        }
        away = bool(copies - {"1_555", *_BLANK})
        yield BondRecord(known, ends[0], ends[1], away)


def _read_end(tables: Columns, row: int, k: int) -> AtomKey:
    def read(*keys: str) -> str:
        for key in keys:
            column = tables.get(f"_struct_conn.{key}")
            if column is not None and column[row] not in _BLANK:
                return column[row]
        return ""

    return (
        read(f"ptnr{k}_auth_asym_id", f"ptnr{k}_label_asym_id"),
        read(f"ptnr{k}_auth_seq_id", f"ptnr{k}_label_seq_id")
        + read(f"pdbx_ptnr{k}_PDB_ins_code"),
        read(f"ptnr{k}_auth_comp_id", f"ptnr{k}_label_comp_id").upper(),
        read(f"ptnr{k}_label_atom_id").upper(),
    )
