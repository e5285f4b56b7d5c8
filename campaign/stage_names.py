"""How stages are called: benchmark_weighted@chignolin is a kind, a model, a protein."""

from typing import Final, NamedTuple

AT: Final = "@"


class StageName(NamedTuple):
    """What a stage's name says; None where it says nothing of it."""

    kind: str
    model: str | None
    protein: str | None


def at_protein(stage: str, protein: str | None) -> str:
    """Return the name of a stage that is one protein's."""
    return stage if protein is None else f"{stage}{AT}{protein}"


def read_stage(name: str) -> StageName:
    """Take a stage's name apart."""
    stage, _, protein = name.partition(AT)
    kind, _, model = stage.partition("_")
    return StageName(kind, model or None, protein or None)
