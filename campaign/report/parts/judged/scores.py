"""What a benchmark wrote (metrics.json, densities.npz), in the report's own terms."""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from apps.science.arrays import Array
from apps.science.benchmark.ranking import ORDER
from campaign.report.parts.learnt_source import LearntSource


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
}

OTHERS: Final = {
    "outside": "the model's weight outside the reference's 99 % area",
    "missed": "the reference's weight outside the model's 99 % area",
    "difference": "mean distances",
    "contact_difference": "contact probabilities",
    "broken": "share of the weight",
    "bond_violations": "strained bonds",
    "fraction": "share that is folded",
    "delta_g": "free energy of folding",
    "handedness": "share that is right-handed",
    "worst_js": "the worst of them, by Jensen-Shannon",
    "slowest": "|ln ratio| of the slowest timescale",
    "mfpt": "|ln ratio| of the mean first passage time",
}
"""Figures that are no divergence of densities, in words."""

FULL_CIRCLE: Final = 360.0
"""Degrees."""


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
class Density:
    """Histograms of one quantity on shared bins.

    Attributes
    ----------
    edges : (n_bins + 1,)
    reference, model : (n_bins + 2,), masses: below, each bin, beyond
    reference_band, model_band : (2, n_bins + 2), ends of the 95 % interval of each
        mass; None where the benchmark kept none
    period : length of the circle the values live on; None for a line
    """

    label: str
    unit: str
    edges: Array
    reference: Array
    model: Array
    reference_band: Array | None = None
    model_band: Array | None = None
    period: float | None = None

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


def read_scores(source: LearntSource, model: str) -> ScoreTable | None:
    """Return every figure of a model by metric and name; None without any."""
    table = {
        name: {
            key: _score(str(body.get("label") or name), figure)
            for key, figure in body["figures"].items()
        }
        for name, body in _metrics(source, model).items()
        if body.get("figures")
    }
    return table or None


def read_undefined(source: LearntSource, model: str) -> dict[str, str]:
    """Return the metrics that have no meaning here, and why, by their label."""
    return {
        str(body.get("label") or name): str(body.get("reason"))
        for name, body in _metrics(source, model).items()
        if not body.get("defined", True)
    }


def read_warnings(source: LearntSource) -> list[str]:
    """Return what the benchmarks had to say of the reference, each once, and models."""
    bodies = {model: source.metrics(model) or {} for model in source.models}
    said = [str(w) for body in bodies.values() for w in body.get("warnings", [])]
    for model, body in bodies.items():
        said += [f"Model {model}: {w}." for w in body.get("model_warnings", [])]
    return list(dict.fromkeys(said))


def read_set(source: LearntSource, model: str) -> dict[str, Any]:
    """Return how many frames a model's benchmark holds and what they are worth."""
    sets = (source.metrics(model) or {}).get("sets")
    found = sets.get("model") if isinstance(sets, dict) else None
    return found if isinstance(found, dict) else {}


def read_details(source: LearntSource, model: str, metric: str) -> dict[str, Any]:
    """Return a metric's further values."""
    details = _metrics(source, model).get(metric, {}).get("details")
    return details if isinstance(details, dict) else {}


def read_densities(source: LearntSource, model: str) -> dict[str, Density]:
    """Return every histogram of one quantity, in the order of the table."""
    arrays = read_arrays(source, model)
    metrics = _metrics(source, model)
    found = {}
    for name, body in metrics.items():
        edges = arrays.get(f"{name}/edges")
        if edges is None or edges.ndim != 1:
            continue
        found[name] = Density(
            str(body.get("label") or name),
            str(body.get("unit") or ""),
            edges,
            arrays[f"{name}/reference"],
            arrays[f"{name}/model"],
            arrays.get(f"{name}/reference_band"),
            arrays.get(f"{name}/model_band"),
            FULL_CIRCLE if name == "dihedrals" else None,
        )
    return found


def read_arrays(source: LearntSource, model: str) -> dict[str, Array]:
    """Return densities.npz as a dict, empty where it is missing."""
    path = source.paths.benchmark(model) / "densities.npz"
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as arrays:
        return {key: np.asarray(arrays[key]) for key in arrays.files}


def _metrics(source: LearntSource, model: str) -> dict[str, dict[str, Any]]:
    found = (source.metrics(model) or {}).get("metrics")
    if not isinstance(found, dict):
        return {}
    place = {name: k for k, name in enumerate(ORDER)}
    names = sorted(found, key=lambda n: (place.get(n, len(ORDER)), n))
    return {n: found[n] for n in names if isinstance(found[n], dict)}


def _score(label: str, figure: dict[str, Any]) -> Score:
    def number(key: str) -> float:
        value = figure.get(key)
        return float(value) if isinstance(value, int | float) else math.nan

    unit = str(figure.get("unit") or "")
    return Score(
        label, number("value"), number("low"), number("high"), number("floor"), unit
    )
