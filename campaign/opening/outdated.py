"""What becomes of stages that no longer fit what they are made from."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Outdated:
    """What a person wants done with stages that no longer fit their sources."""

    again: bool = False
    """Take settings that finished stages depend on, and run those again."""
    keep: bool = False
    """Keep a stage whose sources came out differently; ledger and report say so."""


AS_USUAL: Final = Outdated()
"""Changed settings are refused; where files came out differently, what reads them is
run again, and what it had made set aside."""
