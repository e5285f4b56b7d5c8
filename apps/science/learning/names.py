"""What files of a model are called; nothing heavy is imported here."""

from typing import Final

ENDING: Final = "ending.json"
"""Where a training stopped, and whether more would help: see ending.py."""
