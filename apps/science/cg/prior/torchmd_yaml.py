"""Priors as TorchMD force-field YAML, with one more key for what TorchMD leaves out.

The key ``weft`` holds the terms, the exclusions and the temperature; TorchMD ignores
it. A file without it, such as a published one, gets the terms that it has parameters
for, and the exclusions that the caller names.
"""

import math
from pathlib import Path
from typing import Any

import yaml

from apps.science.cg.prior.tables import WILDCARD, Exclusion, PriorTables, Term, Types
from apps.science.errors import DataError
from apps.science.files import write_text

_SCALES = {"scnb": 1, "scee": 1}


def _write_key(types: Types) -> str:
    return types[0] if len(types) == 1 else f"({', '.join(types)})"


def _read_key(key: str) -> Types:
    return tuple(part.strip() for part in str(key).strip("()").split(","))


def format_tables(tables: PriorTables) -> str:
    """Return the YAML text of a prior."""
    keys = [*tables.bonds, *tables.angles, *tables.dihedrals, *tables.repulsion]
    types = sorted({t for key in keys for t in key} - {WILDCARD} | set(tables.masses))
    document: dict[str, Any] = {
        "atomtypes": types,
        "bonds": {
            _write_key(t): {"k0": k, "req": r0} for t, (k, r0) in tables.bonds.items()
        },
        "angles": {
            _write_key(t): {"k0": k, "theta0": math.degrees(theta0)}
            for t, (k, theta0) in tables.angles.items()
        },
        "dihedrals": {
            _write_key(t): {
                "terms": [
                    {"phi_k": k, "phase": math.degrees(phase), "per": n}
                    for k, phase, n in series
                ],
                **_SCALES,
            }
            for t, series in tables.dihedrals.items()
        },
        "lj": {
            _write_key(t): {
                "sigma": sigma, "epsilon": epsilon,
                "sigma14": sigma, "epsilon14": epsilon,
            }
            for t, (sigma, epsilon) in tables.repulsion.items()
        },
        "electrostatics": {t: {"charge": 0.0} for t in types},
        "masses": dict(tables.masses),
        "weft": {
            "terms": list(tables.terms),
            "exclusions": list(tables.exclusions),
            "temperature_kelvin": tables.temperature_kelvin,
        },
    }  # fmt: skip
    return yaml.safe_dump(
        {k: v for k, v in document.items() if v}, sort_keys=False, width=10**6
    )


def write_tables(tables: PriorTables, path: Path) -> Path:
    """Write a prior as YAML, atomically."""
    return write_text(path, format_tables(tables))


def read_tables(
    path: Path, exclusions: tuple[Exclusion, ...] = ("bonds",)
) -> PriorTables:
    """Read a prior from a TorchMD YAML file.

    Parameters
    ----------
    exclusions : used where the file does not say; the published v0 excludes bonds

    Raises
    ------
    DataError
        If the file is missing or is not a TorchMD force field.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist. Run the prior stage first.")
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict) or "atomtypes" not in document:
        raise DataError(
            f"{path} is no TorchMD force field: it has no atomtypes. "
            "Give a prior written by weft or TorchMD."
        )
    sections = {name: document.get(name) or {} for name in ("bonds", "angles", "lj")}
    dihedrals = document.get("dihedrals") or {}
    own = document.get("weft") or {}
    found: list[Term] = []
    if sections["bonds"]:
        found.append("bonds")
    if sections["angles"]:
        found.append("angles")
    if dihedrals:
        found.append("dihedrals")
    if sections["lj"]:
        found.append("repulsion")
    return PriorTables(
        terms=tuple(own.get("terms", found)),
        exclusions=tuple(own.get("exclusions", exclusions)),
        bonds={
            _read_key(k): (float(v["k0"]), float(v["req"]))
            for k, v in sections["bonds"].items()
        },
        angles={
            _read_key(k): (float(v["k0"]), math.radians(v["theta0"]))
            for k, v in sections["angles"].items()
        },
        dihedrals={
            _read_key(k): tuple(
                (float(t["phi_k"]), math.radians(t["phase"]), int(t["per"]))
                for t in v["terms"]
            )
            for k, v in dihedrals.items()
        },
        repulsion={
            _read_key(k): (float(v["sigma"]), float(v["epsilon"]))
            for k, v in sections["lj"].items()
        },
        masses={str(k): float(v) for k, v in document.get("masses", {}).items()},
        temperature_kelvin=own.get("temperature_kelvin"),
    )
