"""Choose the beads of a protein by rules, residue by residue."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.science.arrays import Array
from apps.science.cg.mapping.beads import (
    BACKBONE_EMBEDDING,
    CAPS,
    ONE_LETTER,
    RESIDUE_EMBEDDING,
    SIDE_CHAIN_EMBEDDING,
    name_residue,
)
from apps.science.cg.mapping.config import RULES, BeadRule
from apps.science.errors import ConfigError, StructureError


@dataclass(frozen=True)
class Bead:
    """One bead before it has a place in a mapping.

    Attributes
    ----------
    name : the rule's
    type_name : TorchMD atom type, such as ``CAY`` for the C-alpha of tyrosine
    atoms : indices into the topology
    coefficients : one per atom, positive, sum one
    """

    name: str
    type_name: str
    embedding: int
    resname: str
    resid: int
    chain: int
    residue: int
    atoms: tuple[int, ...]
    coefficients: tuple[float, ...]


def is_amino_acid(residue: Any) -> bool:
    """Say whether an mdtraj residue has a C-alpha (a calcium ion has none)."""
    return any(a.name == "CA" and a.element.symbol == "C" for a in residue.atoms)


def list_chain_residues(topology: Any) -> list[Any]:
    """Return amino acids and caps, in order; water, ions and ligands are left out."""
    return [r for r in topology.residues if is_amino_acid(r) or r.name in CAPS]


def describe_residue(residue: Any) -> str:
    """Return a residue as a person would look for it: ``TYR 4 of chain A``."""
    chain = getattr(residue.chain, "chain_id", None) or str(residue.chain.index)
    return f"{residue.name} {residue.resSeq} of chain {chain}"


def choose_beads(
    topology: Any,
    masses: Array,
    rules: str | Sequence[BeadRule],
    residues: Mapping[str, str] | None = None,
) -> list[Bead]:
    """Return the beads of every amino acid and cap, in chain order.

    For a capped alanine dipeptide ``backbone`` gives the five beads of CGnet:
    C (ACE), N, CA, C (ALA), N (NME).

    Parameters
    ----------
    topology : of mdtraj
    masses : (n_atoms,), amu
    rules : a kind (``calpha``, ``backbone``, ``backbone_cb``) or rules of one's own
    residues : which known residue an unknown one counts as

    Raises
    ------
    StructureError
        If a residue is unknown or lacks the atoms of a bead.
    ConfigError
        If a rule fits no residue, an atom is in two beads, or two beads of a residue
        would look alike to a model.
    """
    if isinstance(rules, str):
        rules = RULES[rules]
    selected = [_select(topology, rule) for rule in rules]
    beads: list[Bead] = []
    chain = list_chain_residues(topology)
    for residue in chain:
        plain = _name_known(residue, residues or {})
        for rule, atoms in zip(rules, selected, strict=True):
            found = _find_atoms(residue, plain, rule, atoms)
            if found:
                beads.append(_make_bead(residue, plain, rule, found, masses))
    if chain:
        _check_rules(beads, rules)
    return beads


def _select(topology: Any, rule: BeadRule) -> frozenset[int] | None:
    if rule.selection is None:
        return None
    try:
        return frozenset(int(i) for i in topology.select(rule.selection))
    except (ValueError, SyntaxError) as error:
        raise ConfigError(
            f"Bead {rule.name}: mdtraj cannot read the selection {rule.selection!r}: "
            f"{error}. Write it as in mdtraj's documentation: name CB CG."
        ) from None


def _name_known(residue: Any, extra: Mapping[str, str]) -> str:
    plain = name_residue(residue.name, extra)
    if plain not in RESIDUE_EMBEDDING and residue.name not in CAPS:
        raise StructureError(
            f"Residue {describe_residue(residue)} has no bead type. Say in "
            "campaign.yaml which residue it counts as, such as mapping: "
            f"{{residues: {{{residue.name}: ALA}}}}. Known are "
            f"{', '.join(sorted(RESIDUE_EMBEDDING))} and their usual variants."
        )
    return plain


def _find_atoms(
    residue: Any, plain: str, rule: BeadRule, selected: frozenset[int] | None
) -> list[Any]:
    if rule.residues is not None and not {residue.name, plain} & set(rule.residues):
        return []
    is_cap = residue.name in CAPS and rule.residues is None
    if selected is not None:
        found = [a for a in residue.atoms if a.index in selected]
        return [] if is_cap else found
    names = set(rule.atoms or ())
    if is_cap:  # the methyl carbon of NME is named C too
        names &= set(CAPS[residue.name])
    found = [a for a in residue.atoms if a.name in names]
    if not found and not rule.optional and not is_cap:
        raise StructureError(
            f"Residue {describe_residue(residue)} has no atom "
            f"{' or '.join(rule.atoms or ())}, which bead {rule.name} is made of. "
            "Complete the structure, or make the bead optional: true."
        )
    return found


def _make_bead(
    residue: Any, plain: str, rule: BeadRule, atoms: list[Any], masses: Array
) -> Bead:
    weights = [_weigh(a, rule, masses) for a in atoms]
    if not sum(weights) > 0:
        raise ConfigError(
            f"Bead {rule.name} of {describe_residue(residue)} has no weight: its atoms "
            f"are {', '.join(a.name for a in atoms)}. Add one to its weights."
        )
    kept = [(a.index, w / sum(weights)) for a, w in zip(atoms, weights, strict=True)]
    letter = ONE_LETTER.get(plain)
    is_calpha = rule.name == "CA" and letter is not None
    return Bead(
        name=rule.name,
        type_name=f"CA{letter}" if is_calpha else f"{rule.name}-{plain}",
        embedding=rule.embedding or _embed(rule.name, plain),
        resname=plain,
        resid=residue.resSeq,
        chain=residue.chain.index,
        residue=residue.index,
        atoms=tuple(i for i, w in kept if w > 0),
        coefficients=tuple(w for _, w in kept if w > 0),
    )


def _weigh(atom: Any, rule: BeadRule, masses: Array) -> float:
    if isinstance(rule.weights, dict):
        return rule.weights.get(atom.name, 0.0)
    return 1.0 if rule.weights == "equal" else float(masses[atom.index])


def _embed(name: str, plain: str) -> int:
    """Return the integer of a bead: by atom for the backbone, else by residue."""
    if plain in CAPS:
        cap = "ACE" if plain == "ACE" else "NME"
        name = f"{cap}:{name}" if f"{cap}:{name}" in BACKBONE_EMBEDDING else name
        return BACKBONE_EMBEDDING.get(name, BACKBONE_EMBEDDING["C"])
    if name == "CA":
        return RESIDUE_EMBEDDING[plain]
    return BACKBONE_EMBEDDING.get(name, SIDE_CHAIN_EMBEDDING[plain])


def _check_rules(beads: list[Bead], rules: Iterable[BeadRule]) -> None:
    present = {b.name for b in beads}
    for rule in rules:
        if rule.name not in present:
            raise ConfigError(
                f"Bead {rule.name} fits no residue: no atoms {rule.atoms} or selection "
                f"{rule.selection!r}. Correct the rule, or leave it out."
            )
    taken: dict[int, Bead] = {}
    for bead in beads:
        for atom in bead.atoms:
            if atom in taken:
                raise ConfigError(
                    f"An atom of {bead.resname} {bead.resid} is in bead "
                    f"{taken[atom].name} and in bead {bead.name}; an atom can be in "
                    "one. Narrow one of their selections."
                )
            taken[atom] = bead
    for group in _by_residue(beads):
        for one, two in itertools.combinations(group, 2):
            if one.embedding == two.embedding:
                raise ConfigError(
                    f"Beads {one.name} and {two.name} of {one.resname} {one.resid} "
                    f"look alike to a model: both have embedding {one.embedding}. "
                    "Give one of them an embedding of its own, 22 to 29 or 61 to 63."
                )


def _by_residue(beads: list[Bead]) -> Iterator[list[Bead]]:
    for _, group in itertools.groupby(beads, key=lambda b: b.residue):
        yield list(group)
