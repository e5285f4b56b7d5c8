"""A whole run folder of a whole campaign."""

from pathlib import Path

from .ensemble import write_ensemble
from .hairpin import write_reference
from .models import write_models
from .settings import N_ITERATIONS, write_settings
from .two_workers import write_work


def write_run(root: Path) -> Path:
    """Write a run folder with every part of the page to draw."""
    write_settings(root)
    write_work(root)
    tica = write_reference(root)
    write_ensemble(root / "we", tica, N_ITERATIONS, 0.0, 1.0, 11)
    write_models(root, tica)
    return root
