"""Residues of a chain of beads in one letter each, as people write sequences."""

from typing import Final

from apps.science.cg.mapping.beads import ONE_LETTER
from apps.science.cg.mapping.mapping import Mapping

_N_SPELT: Final = 12


def spell(mapping: Mapping) -> str:
    """Return the residues in one letter each where they have one, chains by ``/``."""
    found: list[str] = []
    last: tuple[int, int] | None = None
    for chain, resid, name in zip(
        mapping.chains, mapping.resids, mapping.resnames, strict=True
    ):
        if last is not None and chain != last[0]:
            found.append("/")
        if (chain, resid) != last:
            found.append(ONE_LETTER.get(name, f"({name})"))
        last = (chain, resid)
    return "".join(found)


def spell_beginning(mapping: Mapping) -> str:
    """Return the first residues in one letter each: ``NLYIQWLKDGGP... of 20``."""
    sequence = spell(mapping)
    if len(sequence) <= _N_SPELT:
        return sequence
    n_residues = len(set(zip(mapping.chains, mapping.resids, strict=True)))
    return f"{sequence[:_N_SPELT]}... of {n_residues}"
