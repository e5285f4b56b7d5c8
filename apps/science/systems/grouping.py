"""From the atoms of a file to its residues: who belongs together, which conformer."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from apps.science.errors import StructureError
from apps.science.systems.records import AtomRecord
from apps.science.systems.residues import IONS, OTHER_IONS
from apps.science.systems.structure import Residue


@dataclass
class _Site:
    """The atoms of one residue, or of several that share one place."""

    first: AtomRecord
    atoms: list[AtomRecord] = field(default_factory=list)
    names: set[tuple[str, str, str]] = field(default_factory=set)

    def add(self, atom: AtomRecord) -> None:
        self.atoms.append(atom)
        self.names.add((atom.resname, atom.altloc, atom.name))


@dataclass(frozen=True)
class Grouped:
    """The residues of a file, in its order, and what was decided on the way.

    Attributes
    ----------
    conformers : a sentence for each residue with several, of which one was taken
    """

    residues: Sequence[Residue]
    conformers: Sequence[str]
    n_deuterium: int
    n_unoccupied: int


def group_residues(
    atoms: Iterable[AtomRecord], source: str, conformer: str | None = None
) -> Grouped:
    """Return the residues that atoms make, one conformer of each.

    A residue is the atoms that share chain, number, segment and name between two ends
    of chains; where the same atom comes again, the next residue has begun. Of several
    conformers the asked one is taken, else the one with most atoms, the first of
    equals.

    Raises
    ------
    StructureError
        If an atom stands twice, or residues of different names share a place and no
        conformer was asked for.
    """
    residues, conformers = [], []
    taken: list[AtomRecord] = []
    for site in _find_sites(atoms, source):
        kept, sentence = _choose_conformer(site, source, conformer)
        if sentence:
            conformers.append(sentence)
        taken += kept
        residues.append(_make_residue(kept))
    return Grouped(
        residues,
        conformers,
        sum(a.is_deuterium for a in taken),
        sum(a.occupancy == 0 and not a.is_hydrogen for a in taken),
    )


def _find_sites(atoms: Iterable[AtomRecord], source: str) -> list[_Site]:
    sites: list[_Site] = []
    latest: dict[tuple[object, ...], _Site] = {}
    for atom in atoms:
        place = (atom.part, atom.chain, atom.number, atom.segment)
        here = latest.get((*place, atom.resname))
        if here is None and atom.altloc:
            here = latest.get((*place, ""))
            if here is not None and not _is_mixed(here, atom):
                here = None
        if here is not None and (atom.resname, atom.altloc, atom.name) in here.names:
            if atom.name != here.first.name:
                twin = next(
                    a
                    for a in here.atoms
                    if (a.resname, a.altloc, a.name)
                    == (atom.resname, atom.altloc, atom.name)
                )
                raise StructureError(
                    f"{source}: atom {atom.name} of residue {_say(atom)} stands twice, "
                    f"{twin.where} and {atom.where}. Two residues share a number, or "
                    "one was written twice: number them apart, or remove one."
                )
            here = None
        if here is None:
            here = _Site(atom)
            sites.append(here)
        latest[(*place, atom.resname)] = here
        if atom.altloc:
            latest[(*place, "")] = here
        here.add(atom)
    return sites


def _is_mixed(site: _Site, atom: AtomRecord) -> bool:
    return any(a.altloc and a.altloc != atom.altloc for a in site.atoms)


def _say(atom: AtomRecord) -> str:
    return str(Residue(atom.resname, atom.number, atom.chain))


def _choose_conformer(
    site: _Site, source: str, asked: str | None
) -> tuple[list[AtomRecord], str]:
    """Return the atoms of one conformer, and a sentence where there were several."""
    heavy = [a for a in site.atoms if not a.is_hydrogen]
    letters = list(dict.fromkeys(a.altloc for a in site.atoms if a.altloc))
    if not letters:
        return site.atoms, ""
    if not any(a.altloc for a in heavy):  # hydrogens only: they are placed anew
        return site.atoms, ""
    names = {k: {a.resname for a in site.atoms if a.altloc == k} for k in letters}
    kinds = list(dict.fromkeys(a.resname for a in site.atoms))
    if len(kinds) > 1 and asked not in letters:
        said = ", ".join(f"{k}: {'/'.join(sorted(names[k]))}" for k in letters)
        raise StructureError(
            f"{source}: residue {site.first.number} of chain {site.first.chain or '-'} "
            f"is {' and '.join(kinds)} in one place ({said}). They are different "
            "proteins: say which to simulate, as conformer: "
            f"{letters[0]} in campaign.yaml, or remove the others."
        )
    sizes = Counter({k: len({a.name for a in heavy if a.altloc == k}) for k in letters})
    letter = asked if asked in letters else max(letters, key=lambda k: sizes[k])
    own = {a.name for a in site.atoms if a.altloc == letter}
    name = next(a.resname for a in site.atoms if a.altloc == letter)
    kept = [
        a
        for a in site.atoms
        if a.altloc == letter or (not a.altloc and a.name not in own)
    ]
    others = ", ".join(
        k if names[k] == {name} else f"{k} ({'/'.join(sorted(names[k]))})"
        for k in letters
        if k != letter
    )
    if not others:
        return kept, ""
    why = "asked for"
    if letter != asked:
        tie = [k for k in letters if sizes[k] == sizes[letter]]
        why = "the first" if len(tie) > 1 else "the most complete"
    named = _name_first(kept)
    return kept, f"{_say(named)}: {letter} ({why}), not {others}"


def _name_first(atoms: list[AtomRecord]) -> AtomRecord:
    """Return the atom that says what the residue is: one of the conformer's own."""
    return next((a for a in atoms if a.altloc), atoms[0])


def _make_residue(atoms: list[AtomRecord]) -> Residue:
    first = _name_first(atoms)
    is_ion = first.resname in IONS or first.resname in OTHER_IONS
    heavy = [a for a in atoms if is_ion or not a.is_hydrogen]
    light = [a for a in atoms if not (is_ion or not a.is_hydrogen)]
    return Residue(
        first.resname,
        first.number,
        first.chain,
        {a.name: a.position for a in heavy},
        hydrogens=frozenset(_name_hydrogen(a) for a in light),
        hetero=any(a.hetero for a in atoms),
        segment=first.segment,
        part=first.part,
    )


def _name_hydrogen(atom: AtomRecord) -> str:
    """Return a hydrogen's name as format 3.3 has it: 1HD2 is HD21, DD1 is HD1."""
    name = atom.name
    if name[0].isdigit():
        name = name[1:] + name[0]
    return "H" + name[1:] if name.startswith("D") else name
