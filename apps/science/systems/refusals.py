"""What a structure holds and no force field here describes, said in one sentence."""

from collections.abc import Sequence

from apps.science.errors import StructureError
from apps.science.systems.config import SystemConfig
from apps.science.systems.residues import (
    CAPS,
    DERIVED_FROM,
    IONS,
    NUCLEOTIDES,
    OTHER_IONS,
    SUGARS,
)
from apps.science.systems.structure import Residue, is_lone_ion

_YAML_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def refuse_unknown(
    residues: Sequence[Residue], config: SystemConfig, source: str
) -> None:
    """Refuse residues that amber14, with the solvent asked for, has no template for.

    Raises
    ------
    StructureError
        Naming every kind of residue, and the settings that would let it pass.
    """
    kinds: dict[str, list[Residue]] = {}
    for residue in residues:
        if not _is_described(residue, config):
            kinds.setdefault(residue.name, []).append(residue)
    if not kinds:
        return
    said = "; ".join(_say_kind(found, config) for found in kinds.values())
    raise StructureError(f"{source}: {said}. {_advise(kinds, config)}")


def _is_described(residue: Residue, config: SystemConfig) -> bool:
    if is_lone_ion(residue):
        return config.explicit
    return residue.is_amino_acid or residue.name in CAPS


def _say_kind(found: Sequence[Residue], config: SystemConfig) -> str:
    more = f" (and {len(found) - 1} more {found[0].name})" if len(found) > 1 else ""
    return f"residue {found[0]}{more} {_say_why(found[0], config)}"


def _say_why(residue: Residue, config: SystemConfig) -> str:
    name = residue.name
    if is_lone_ion(residue):
        return f"is an ion, and solvent {config.solvent} has no parameters for ions"
    if name in (*IONS, *OTHER_IONS):
        return "is an ion that weft has no parameters for"
    if _is_modified(residue):
        return "is not in the amber14 force field (a modified amino acid)"
    if name in NUCLEOTIDES:
        return "is a nucleotide, and weft simulates proteins"
    if name in SUGARS:
        return "is a sugar, and weft simulates proteins"
    return "is not in the amber14 force field (a ligand, or no residue of a protein)"


def _is_modified(residue: Residue) -> bool:
    has_backbone = {"N", "CA", "C"} <= residue.atoms.keys()
    return residue.name in DERIVED_FROM or has_backbone


def _advise(kinds: dict[str, list[Residue]], config: SystemConfig) -> str:
    firsts = [found[0] for found in kinds.values()]
    names = ", ".join(quote_name(name) for name in kinds)
    ways = []
    derived = {n: DERIVED_FROM[n] for n in kinds if n in DERIVED_FROM}
    if derived:
        pairs = ", ".join(f"{quote_name(k)}: {v}" for k, v in derived.items())
        ways.append(f"take it as what it derives from (replace: {{{pairs}}})")
    if not config.explicit and any(is_lone_ion(r[0]) for r in kinds.values()):
        ways.append("keep the ions with solvent: tip3pfb")
    them = "it" if len(kinds) == 1 else "them"
    where = f" where no chain needs {them}" if any(map(_is_modified, firsts)) else ""
    ways.append(f"leave {them} out{where} (leave_out: [{names}])")
    said = ", or ".join(ways)
    return f"Say in campaign.yaml what to do: {said}; or mend the file."


def quote_name(name: str) -> str:
    """Return a residue name as YAML reads it: NO would be false."""
    plain = name[:1].isalpha() and name.lower() not in _YAML_WORDS
    return name if plain else f"'{name}'"
