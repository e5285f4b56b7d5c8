"""What is simulated of what was asked for, and the sentences that say so."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from apps.science.errors import StructureError
from apps.science.systems.bonds import Bridge
from apps.science.systems.chains import is_allo
from apps.science.systems.config import UNFOLDING_STARTS, SystemConfig
from apps.science.systems.residues import (
    CAPS,
    END_CAPS,
    HEAVY_ATOMS,
    START_CAPS,
)
from apps.science.systems.structure import (
    Residue,
    add_caps,
    is_lone_ion,
    one_letter_sequence,
    split_molecules,
)
from apps.science.systems.unfolding import name_starts, spell_starts

_MOST_NAMED = 8
"""Residues that a sentence lists; of more it gives the number."""


@dataclass(frozen=True)
class Taken:
    """The heavy atoms that are simulated, and how they came about.

    Attributes
    ----------
    start_names : "native" or "extended"
    n_unfolding : further starts, from a hot run that begins at the native one
    residues : capped where asked for; ions last
    given : the residues before caps were added
    bridges : disulfide bridges, as places in ``given``
    remarks : what was decided in reading the file, headings and sentences
    """

    start_names: list[str]
    n_unfolding: int
    residues: list[Residue]
    given: list[Residue]
    bridges: list[Bridge]
    remarks: dict[str, str]

    @property
    def states(self) -> list[str | None]:
        """Amber's name of the protonation state asked for, one a residue."""
        return [residue.variant for residue in self.residues]


def take_structure(config: SystemConfig) -> Taken:
    """Return the heavy atoms that ``config`` asks for; read once while it is the same.

    Raises
    ------
    StructureError
        If the structure cannot be read or described.
    """
    stamp = (0, 0)
    if config.pdb is not None and config.pdb.exists():
        found = config.pdb.stat()
        stamp = (found.st_mtime_ns, found.st_size)
    return _take(config.model_dump_json(), stamp)


@lru_cache(maxsize=8)
def _take(settings: str, _stamp: tuple[int, int]) -> Taken:
    config = SystemConfig.model_validate_json(settings)
    remarks: dict[str, str] = {}
    bridges: list[Bridge] = []
    if config.pdb is not None:
        from apps.science.systems.reading import read_structure

        found = read_structure(config.pdb, config)
        given, bridges, remarks = found.residues, found.bridges, dict(found.remarks)
        remarks["Left out"] = _say_left_out(found.left_out, found.n_waters, config)
    else:
        given = _build(config)
    names = ["extended" if config.sequence is not None else "native"]
    if config.has_extended_start:
        reason = _find_why_not_extended(given, bridges)
        if reason and config.extended_start:
            raise StructureError(
                f"extended_start: true is not offered: the protein has {reason}. Leave "
                "it out."
            )
        if not reason:
            names.append("extended")
        else:
            remarks["No extended start"] = f"the protein has {reason}"
    residues = add_caps(given) if config.caps else list(given)
    counted = [str(k) for k in range(1, len(residues) + 1)]
    if config.pdb is not None and [r.number for r in residues] != counted:
        remarks["Numbers"] = "residues are counted from 1 in the run folder"
    n_unfolding = config.unfolding_starts
    if n_unfolding is None:
        n_unfolding = UNFOLDING_STARTS if names == ["native", "extended"] else 0
    return Taken(names, n_unfolding, residues, list(given), bridges, remarks)


def _build(config: SystemConfig) -> list[Residue]:
    if config.sequence is not None:
        from apps.science.systems.sequence import build_extended

        return build_extended(config.sequence)
    if config.fold is not None:
        from apps.science.systems.fold import build_fold
        from apps.science.systems.native_folds import read_fold

        return build_fold(read_fold(config.fold))
    # SystemConfig refuses this
    raise StructureError("No sequence, fold or pdb was given. Give one of them.")


def _find_why_not_extended(
    residues: Sequence[Residue], bridges: Sequence[Bridge]
) -> str:
    """Return why no extended chain can stand beside the native structure, or ""."""
    n_ions = sum(is_lone_ion(r) for r in residues)
    n_chains = len(split_molecules(residues)) - n_ions
    reasons = []
    if n_chains > 1:
        reasons.append(f"{n_chains} chains")
    if bridges:
        reasons.append(f"{len(bridges)} disulfide bridges")
    if n_ions:
        reasons.append(f"{n_ions} ions")
    return " and ".join(reasons)


def describe_taken(
    taken: Taken, config: SystemConfig, chosen: Sequence[Any] | None = None
) -> dict[str, str]:
    """Return headings and sentences: what is simulated, added and left out.

    Parameters
    ----------
    chosen : the protonation states that the hydrogens were placed for, where they are
        known, one a residue
    """
    chains = [
        c for c in split_molecules(taken.residues) if any(r.is_amino_acid for r in c)
    ]
    ions = [r for r in taken.residues if is_lone_ion(r)]
    said = {
        "Source": _say_source(config),
        "Chains": "; ".join(_say_chain(c) for c in chains),
        "Protonation": _say_protonation(taken.residues, chosen),
        "Disulfide bridges": _say_bridges(taken) or "none",
        "Ions": _list(ions) or "none",
        "Added": _say_added(taken, config),
        "Left out": taken.remarks.get("Left out") or "nothing",
        "Starts": spell_starts(taken.start_names + name_starts(taken.n_unfolding)),
    }
    hands = [r for r in taken.residues if r.is_right_handed]
    if hands:
        said["Right-handed (D)"] = f"{_list(hands)}, in every start"
    allo = [r for r in taken.residues if is_allo(r)]
    if allo:
        said["Mirrored at CB"] = (
            f"{_list(allo)}, in every start: an allo form, or a fault of the structure"
        )
    return said | {k: v for k, v in taken.remarks.items() if k not in said}


def _say_source(config: SystemConfig) -> str:
    if config.pdb is not None:
        return config.pdb.name
    return f"fold {config.fold}" if config.fold else f"sequence {config.sequence}"


def _say_chain(chain: Sequence[Residue]) -> str:
    amino = [r for r in chain if r.is_amino_acid]
    first, last = amino[0], amino[-1]
    ends = [
        chain[0].name if chain[0].name in START_CAPS else "charged start",
        chain[-1].name if chain[-1].name in END_CAPS else "charged end",
    ]
    name = f"{first.chain}: " if first.chain else ""
    unit = "residue" if len(amino) == 1 else "residues"
    span = f"{first.name} {first.number}"
    if len(amino) > 1:
        span += f" to {last.name} {last.number}"
    return (
        f"{name}{len(amino)} {unit}, {span} ({one_letter_sequence(amino)}), "
        f"{ends[0]}, {ends[1]}"
    )


def _say_protonation(residues: Sequence[Residue], chosen: Sequence[Any] | None) -> str:
    named = [r for r in residues if r.variant and r.variant != "CYX"]
    said = ["as usual at pH 7"]
    if named:
        listed = [f"{r.variant} {r.number}{_of_chain(r, residues)}" for r in named]
        said.append("by the structure " + ", ".join(listed))
    free = [i for i, r in enumerate(residues) if r.name == "HIS"]
    if free and chosen is None:
        found = _list([residues[i] for i in free])
        said.append(f"HID or HIE by its hydrogen bonds: {found}")
    elif free and chosen is not None:
        listed = [
            f"{chosen[i]} {residues[i].number}{_of_chain(residues[i], residues)}"
            for i in free
        ]
        said.append("by their hydrogen bonds " + ", ".join(listed))
    return "; ".join(said)


def _of_chain(residue: Residue, residues: Sequence[Residue]) -> str:
    several = len({r.molecule for r in residues if r.is_amino_acid}) > 1
    return f" of chain {residue.chain}" if several and residue.chain else ""


def _say_bridges(taken: Taken) -> str:
    pairs = [(taken.given[i], taken.given[j]) for i, j in taken.bridges]
    return "; ".join(
        f"{one} to {two} "
        f"({np.linalg.norm(one.atoms['SG'] - two.atoms['SG']):.2f} Angstrom)"
        for one, two in pairs
    )


def _say_added(taken: Taken, config: SystemConfig) -> str:
    n_given = len(taken.given)
    said = []
    n_caps = len(taken.residues) - n_given
    if n_caps:
        kinds = Counter(r.name for r in taken.residues if r.name in CAPS)
        kinds.subtract(Counter(r.name for r in taken.given if r.name in CAPS))
        said.append(", ".join(f"{n} {name}" for name, n in kinds.items() if n))
    lacking = [
        f"{' '.join(names)} of {residue}"
        for residue in taken.residues
        if residue.is_amino_acid and (names := _find_lacking(residue))
    ]
    if len(lacking) > _MOST_NAMED:
        lacking = [
            *lacking[:_MOST_NAMED],
            f"atoms of {len(lacking) - _MOST_NAMED} more",
        ]
    said += lacking
    ends = [
        chain[-1]
        for chain in split_molecules(taken.residues)
        if chain[-1].is_amino_acid and "OXT" not in chain[-1].atoms
    ]
    said += [f"OXT of {end}" for end in ends]
    n_hydrogens = sum(len(r.hydrogens) for r in taken.given)
    said.append(
        f"hydrogens (the {n_hydrogens} of the file are placed anew)"
        if n_hydrogens
        else "hydrogens"
    )
    if config.explicit:
        said.append("water, and ions that make the box neutral")
    return ", ".join(said)


def _find_lacking(residue: Residue) -> list[str]:
    return [name for name in HEAVY_ATOMS[residue.base] if name not in residue.atoms]


def _say_left_out(
    left_out: Sequence[Residue], n_waters: int, config: SystemConfig
) -> str:
    said = []
    if n_waters:
        how = "the box is filled anew" if config.explicit else "no water is simulated"
        said.append(f"{n_waters} waters ({how})")
    if left_out:
        said.append(f"as campaign.yaml says: {_list(left_out)}")
    return "; ".join(said)


def _list(residues: Sequence[Residue]) -> str:
    if len(residues) <= _MOST_NAMED:
        return ", ".join(map(str, residues))
    counts = Counter(r.name for r in residues)
    return ", ".join(f"{n} {name}" for name, n in counts.items())
