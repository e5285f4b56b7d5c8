"""The README that a package index shows: no relative link leads anywhere from there.

With a public address under ``[project.urls] Source`` in pyproject.toml, links and the
picture become absolute; without one, links keep their words and the picture goes.
"""

import re
import tomllib
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
RELATIVE = r"(?!https?:|#)([^)]+)"


def read_for_index() -> str:
    """Return README.md as it reads away from its repository."""
    text = (HERE / "README.md").read_text(encoding="utf-8")
    project = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))
    source = project["project"].get("urls", {}).get("Source", "").rstrip("/")
    picture = rf"!\[([^]]*)\]\({RELATIVE}\)"
    link = rf"(?<!!)\[([^]]*)\]\({RELATIVE}\)"
    if source:
        text = re.sub(picture, rf"![\1]({source}/raw/main/\2)", text)
        return re.sub(link, rf"[\1]({source}/blob/main/\2)", text)
    text = re.sub(picture, r"*(\1: \2 in the sources)*", text)
    return re.sub(link, say_place, text)


def say_place(link: re.Match[str]) -> str:
    """Return the words of a link with the file that it leads to."""
    words, path = link.groups()
    return f"`{path}`" if words == path else f"{words} (`{path}`)"


setup(long_description=read_for_index(), long_description_content_type="text/markdown")
