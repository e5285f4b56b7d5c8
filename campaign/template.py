"""The first campaign.yaml that ``weft init`` writes."""

from importlib.resources import files
from pathlib import Path

from apps.science import plugins
from apps.science.errors import ConfigError
from apps.science.files import write_text
from campaign.config import TYPES


def write_template(path: Path, name: str, kind: str) -> Path:
    """Write a commented campaign of type ``kind`` to ``path``.

    Raises
    ------
    ConfigError
        If the type does not exist or ``path`` does.
    """
    plugins.load_kind(TYPES, kind)
    if path.exists():
        raise ConfigError(f"{path} exists already. Move it, or choose another --out.")
    text = (files(TYPES) / f"{kind}.yaml").read_text(encoding="utf-8")
    return write_text(path, text.replace("NAME", name))
