"""How stages of one of several proteins are called: sample@chignolin."""

from typing import Final

AT: Final = "@"


def at_protein(stage: str, protein: str | None) -> str:
    """Return the name of a stage that is one protein's."""
    return stage if protein is None else f"{stage}{AT}{protein}"
