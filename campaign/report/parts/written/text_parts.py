"""Parts of sentences on settings, for the methods section."""

from typing import Any

from campaign.report.parts.learnt_source import LearntSource
from campaign.report.parts.written.papers import Citations
from campaign.telling import words

_PLURALS = {
    "trajectory": "trajectories",
    "unbiased trajectory": "unbiased trajectories",
}


def section_of(source: LearntSource, name: str) -> dict[str, Any]:
    """Return a section of the campaign, empty where it has none."""
    found = source.config.get(name)
    return found if isinstance(found, dict) else {}


def packages(source: LearntSource) -> dict[str, Any]:
    """Return the versions that the run began with, by package."""
    found = source.environment.get("packages")
    return found if isinstance(found, dict) else {}


def with_version(source: LearntSource, package: str, name: str) -> str:
    """Return a package's name with its version where that is known."""
    version = packages(source).get(package)
    return f"{name} {version}" if version else name


def spell_time(value: Any, picoseconds: float = 1.0) -> str:
    """Return a setting as a time; the unit of ``value`` in picoseconds."""
    if not isinstance(value, int | float):
        return words.NONE
    return words.simulated(value * picoseconds)


def tell(section: dict[str, Any], key: str) -> str:
    """Return a setting as it is written, a dash where an older run has none."""
    return words.NONE if section.get(key) is None else str(section[key])


def spell_counts(n: Any, noun: str) -> str:
    """Return "1 iteration", "2 trajectories"."""
    if n == 1:
        return f"1 {noun}"
    count = f"{n:,}" if isinstance(n, int) else words.NONE
    return f"{count} {_PLURALS.get(noun, f'{noun}s')}"


def spell_bins(bins: dict[str, Any], cites: Citations) -> str:
    """Return what walkers were binned by."""
    kind = bins.get("kind", "mab")
    if kind == "mab":
        counts = " by ".join(map(str, bins.get("nbins") or []))
        return f"{counts} minimal adaptive bins{cites.cite('mab')}"
    if kind == "rectilinear":
        counts = " by ".join(str(len(edges) + 1) for edges in bins.get("edges") or [])
        return f"{counts} fixed bins"
    if kind == "voronoi":
        return f"{len(bins.get('centers') or [])} Voronoi cells"
    return f"bins of kind {kind}"
