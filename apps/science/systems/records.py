"""What a structure file holds, before anything is made of it: atoms and bonds."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from apps.science.arrays import Array


@dataclass(frozen=True)
class AtomRecord:
    """One atom as the file has it, names in capitals.

    Attributes
    ----------
    where : where it stands: "line 12"
    number : with the insertion code, "52A"
    segment : segment identifier, or mmCIF's label_asym_id; "" where none
    part : how many ends of chains (TER) stand before it
    position : (3,), Angstrom
    """

    where: str
    serial: str
    hetero: bool
    name: str
    altloc: str
    resname: str
    chain: str
    number: str
    segment: str
    part: int
    position: Array
    occupancy: float
    element: str

    @property
    def is_hydrogen(self) -> bool:
        """Whether it is hydrogen or deuterium."""
        if self.element:
            return self.element in ("H", "D")
        return self.name.lstrip("0123456789").startswith(("H", "D"))

    @property
    def is_deuterium(self) -> bool:
        """Whether it is deuterium, by its element or, lacking that, by its name."""
        return self.is_hydrogen and (
            self.element == "D"
            or (not self.element and self.name.lstrip("0123456789").startswith("D"))
        )


AtomKey = tuple[str, str, str, str]
"""Chain, number, residue, atom."""


@dataclass(frozen=True)
class BondRecord:
    """A bond that the file states (SSBOND, LINK, CONECT, struct_conn).

    Attributes
    ----------
    elsewhere : whether one of its ends is in another copy of the crystal
    """

    kind: str
    one: AtomKey
    two: AtomKey
    elsewhere: bool = False


@dataclass(frozen=True)
class FileRecords:
    """The atoms of one model of a file, and what else it says of them.

    Attributes
    ----------
    models : the numbers of the models in the file; empty where it counts none
    model : the one the atoms are of
    n_unseen : residues that the file names as having no coordinates
    """

    atoms: Sequence[AtomRecord]
    bonds: Sequence[BondRecord]
    models: Sequence[str] = field(default_factory=tuple)
    model: str = ""
    n_unseen: int = 0


def name_atom(record: AtomRecord) -> AtomKey:
    """Return what bonds name an atom by."""
    return (record.chain, record.number, record.resname, record.name)
