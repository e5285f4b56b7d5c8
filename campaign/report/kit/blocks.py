"""What a page is made of: sections that hold notes, facts, tables and pictures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

Tone = Literal["info", "caution", "missing"]


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Note:
    """A remark set apart: something missing, or a reason for doubt."""

    kind: ClassVar[str] = "note"
    text: str
    tone: Tone = "info"


@dataclass(frozen=True)
class Facts:
    """Labels and values; ``cards`` shows them large."""

    kind: ClassVar[str] = "facts"
    rows: Sequence[tuple[str, str]]
    cards: bool = False


@dataclass(frozen=True)
class Cell:
    """One cell of a table: its value, a smaller line, whether it leads, a link."""

    text: str
    detail: str = ""
    best: bool = False
    href: str = ""


@dataclass(frozen=True)
class Table:
    """A table; the first column names the row."""

    kind: ClassVar[str] = "table"
    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    numeric: bool = True


@dataclass(frozen=True)
class Picture:
    """A figure as a data URI, with the names of its files beside the page."""

    name: str
    uri: str
    alt: str
    caption: str
    wide: bool = False


@dataclass(frozen=True)
class Gallery:
    """Pictures in a row that breaks where the page is narrow."""

    kind: ClassVar[str] = "gallery"
    pictures: Sequence[Picture]
    columns: int = 2


@dataclass(frozen=True)
class Fold:
    """Blocks behind a line that opens."""

    kind: ClassVar[str] = "fold"
    title: str
    blocks: Sequence["Block"]


@dataclass(frozen=True)
class Download:
    """A file beside the page, within figures/, and what it holds."""

    kind: ClassVar[str] = "download"
    text: str
    file: str


@dataclass(frozen=True)
class Advice:
    """What was measured, and the line of campaign.yaml that answers it."""

    text: str
    line: str


@dataclass(frozen=True)
class Steps:
    """Things to do, in order."""

    kind: ClassVar[str] = "steps"
    title: str
    items: Sequence[Advice]
    note: str


@dataclass(frozen=True)
class Copied:
    """A text to be taken into another document, with a button that copies it."""

    kind: ClassVar[str] = "copied"
    paragraphs: Sequence[str]
    references: Sequence[str]
    script: str


@dataclass(frozen=True)
class Turning:
    """Structures that a person turns: data as JSON and the script that draws them.

    ``ghost`` names the structure drawn in grey.
    """

    kind: ClassVar[str] = "turning"
    data: str
    script: str
    ghost: str
    caption: str
    alt: str


Block = (
    Text | Note | Facts | Table | Gallery | Fold | Download | Turning | Steps | Copied
)


@dataclass
class Section:
    """A numbered part of the page and the question it answers."""

    slug: str
    title: str
    question: str
    blocks: list[Block] = field(default_factory=list)
