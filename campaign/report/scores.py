"""What a benchmark wrote (metrics.json, densities.npz), in the report's own terms."""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from apps.science.arrays import Array
from campaign.report.sources import RunSource


@dataclass(frozen=True)
class Divergence:
    """How one kind of distance is presented."""

    title: str
    head: str
    meaning: str


DIVERGENCES: Final = {
    "kl": Divergence(
        "Kullback-Leibler divergence",
        "KL(reference ‖ model), nats",
        "Kullback-Leibler divergence of each model from the reference; 0 is a perfect "
        "match.",
    ),
    "w1": Divergence(
        "Wasserstein-1 distance",
        "Wasserstein-1",
        "Wasserstein-1 distance: how far probability must be moved, in the unit of the "
        "quantity.",
    ),
    "js": Divergence(
        "Jensen-Shannon divergence",
        "Jensen-Shannon, nats",
        "Jensen-Shannon divergence: symmetric, at most ln 2 = 0.693.",
    ),
    "other": Divergence(
        "other distances", "Distance", "Distances that are no divergence of densities."
    ),
}

LABELS: Final = {
    "tic0": "TIC 0",
    "tic1": "TIC 1",
    "tic01": "TIC 0 and TIC 1 together",
    "bonds": "bond length",
    "angles": "bond angle",
    "dihedrals": "dihedral angle",
    "rg": "radius of gyration",
    "end_to_end": "end-to-end distance",
    "contacts": "contact map",
}
"""Words for the metrics of Table 4.4 and ours; others are shown by their own name."""


@dataclass(frozen=True)
class Score:
    """One distance with its interval and floor; NaN where it is not defined."""

    label: str
    value: float
    low: float
    high: float
    floor: float
    unit: str

    @property
    def defined(self) -> bool:
        """Whether there is a number."""
        return math.isfinite(self.value)

    @property
    def has_interval(self) -> bool:
        """Whether both ends of the interval are known."""
        return math.isfinite(self.low) and math.isfinite(self.high)


ScoreTable = dict[str, dict[str, Score]]


@dataclass(frozen=True)
class Course:
    """One quantity against time."""

    label: str
    question: str
    time_ps: Array
    value: Array
    is_share: bool


def read_scores(source: RunSource, model: str) -> ScoreTable | None:
    """Return every score of a model by metric and divergence; None without any."""
    metrics = (source.metrics(model) or {}).get("metrics")
    if not isinstance(metrics, dict):
        return None
    table: ScoreTable = {}
    for name, body in metrics.items():
        if not isinstance(body, dict):
            continue
        label = str(body.get("label") or label_of(name))
        found = {
            divergence_kind(key): _score(label, figure)
            for key, figure in body.items()
            if isinstance(figure, dict) and "value" in figure
        }
        if found:
            table[name] = found
    return table or None


def divergence_kind(key: str) -> str:
    """Return which divergence a key of metrics.json means."""
    lower = key.lower()
    for kind, words in (
        ("kl", ("kl",)),
        ("w1", ("w1", "wasserstein")),
        ("js", ("js", "jensen")),
    ):
        if any(word in lower for word in words):
            return kind
    return "other"


def label_of(name: str) -> str:
    """Return a metric's name in words."""
    return LABELS.get(name, name.replace("_", " "))


def _score(label: str, figure: dict[str, Any]) -> Score:
    def number(key: str) -> float:
        value = figure.get(key)
        return float(value) if isinstance(value, int | float) else math.nan

    unit = str(figure.get("unit") or "")
    return Score(
        label, number("value"), number("low"), number("high"), number("floor"), unit
    )


def read_stability(source: RunSource, model: str) -> dict[str, Course]:
    """Return what was measured over time."""
    return {}


def read_surviving(source: RunSource) -> dict[str, float]:
    """Return the share of walkers intact at the end, per model."""
    return {}


@dataclass(frozen=True)
class Density:
    """Histograms of one quantity on shared bins.

    Attributes
    ----------
    edges : (n_bins + 1,)
    reference, model : (n_bins + 2,), masses: below, each bin, beyond
    """

    label: str
    unit: str
    edges: Array
    reference: Array
    model: Array

    @property
    def reference_density(self) -> Array:
        """Probability per unit, (n_bins,)."""
        return np.asarray(self.reference[1:-1] / np.diff(self.edges))

    @property
    def model_density(self) -> Array:
        """Probability per unit, (n_bins,)."""
        return np.asarray(self.model[1:-1] / np.diff(self.edges))

    @property
    def model_outside(self) -> float:
        """Share of the model beyond the bins."""
        return float(self.model[0] + self.model[-1])


def read_densities(source: RunSource, model: str) -> dict[str, Density]:
    """Return the histograms that densities.npz holds."""
    path = source.paths.benchmark(model) / "densities.npz"
    if not path.exists():
        return {}
    units = _units(source, model)
    found = {}
    with np.load(path, allow_pickle=False) as arrays:
        for key in arrays.files:
            name, _, what = key.rpartition("/")
            if what != "edges" or arrays[key].ndim != 1:
                continue
            reference, of_model = arrays[f"{name}/reference"], arrays[f"{name}/model"]
            found[name] = Density(
                label_of(name), units.get(name, ""), arrays[key], reference, of_model
            )
    return found


def _units(source: RunSource, model: str) -> dict[str, str]:
    """Return each quantity's unit: that of its Wasserstein distance."""
    table = read_scores(source, model) or {}
    return {name: row["w1"].unit for name, row in table.items() if "w1" in row}
