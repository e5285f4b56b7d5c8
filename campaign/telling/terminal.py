"""What is printed: users' words as they are, on any terminal."""

import codecs
import sys
import unicodedata
from typing import Any, Final

from rich.console import Console

_HANDLER: Final = "weft-spelled"
_SPELLED: Final = {
    "█": "#", "▉": "#", "▊": "#", "▋": "#", "▌": "=", "▍": "=", "▎": "-", "▏": "-",
    "░": ".", "Å": "A", "µ": "u", "°": " deg", "±": "+-", "·": ".",
    "…": "...", "→": "->", "ō": "o", "≥": ">=", "≤": "<=", "\N{EN DASH}": "-",
}  # fmt: skip
"""How weft's own signs are written where the terminal has no such letters."""


def make_console(**settings: Any) -> Console:
    """Return a console that takes every string as it is.

    Square brackets in a path are not markup, and :name: is no picture.
    """
    return Console(markup=False, emoji=False, highlight=False, **settings)


def speak_any_encoding() -> None:
    """Let standard output and error spell what their encoding lacks.

    A terminal of latin-1, or a file name whose bytes are no letters, then never ends
    a command.
    """
    codecs.register_error(_HANDLER, _spell)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_HANDLER)


def _spell(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(map(_spell_one, letters)), error.end


def _spell_one(letter: str) -> str:
    if letter in _SPELLED:
        return _SPELLED[letter]
    if unicodedata.category(letter) == "Cs":  # a byte of a file name, U+DC80 + byte
        return f"\\x{ord(letter) & 0xFF:02x}"
    return letter.encode("ascii", "backslashreplace").decode("ascii")
