"""What to try next, from what this run measured, with the line of campaign.yaml."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import h5py
import yaml

from apps.science.files import read_json
from apps.science.learning.names import ENDING
from campaign.report.kit.blocks import Advice, Block, Steps
from campaign.report.parts.judged.convergence import (
    ENOUGH_TIMESCALES,
    longest_walk,
    name_falling,
    slowest_timescale,
)
from campaign.report.parts.judged.scores import ScoreTable, read_scores, read_set
from campaign.report.parts.judged.worth import LEAST_OUTSIDE, Worth, is_far, times_floor
from campaign.report.parts.learnt_source import LearntSource
from campaign.telling import words

MOST_STEPS: Final = 5
NOISIER: Final = 1.1
"""Times the noise of the best consistent force map that are worth a change."""
FAR_FROM_RELAXED: Final = 0.1
"""Total variation between raw and equilibrium weights, as the sampler warns at."""
FEW_EFFECTIVE: Final = 0.2
"""Share of effective frames under which frames are better drawn than weighted."""
TERMS: Final = ("bonds", "angles", "dihedrals", "repulsion")
NOTE: Final = (
    "Give the changed campaign.yaml another name and run it. What concerns learning "
    "only (mapping.force_map, prior, dataset, model, training) can be tried beside the "
    "present models, as experiments."
)


@dataclass(frozen=True)
class Step:
    """One thing to try.

    Attributes
    ----------
    gain : how much it is likely to matter; only their order counts
    why : what was measured
    change : settings by section, to be written into campaign.yaml
    """

    gain: float
    why: str
    change: dict[str, dict[str, Any]]

    @property
    def line(self) -> str:
        """What to write."""
        return "\n".join(
            f"{section}: {_write_flow(found)}" for section, found in self.change.items()
        )


def show_steps(source: LearntSource, worth: list[Worth]) -> list[Block]:
    """Return what to try as blocks of the page; none where all is well."""
    found = list_steps(source, worth)
    if not found:
        return []
    return [
        Steps(
            "What to try next, from what was measured here, the most promising first:",
            [Advice(step.why, step.line) for step in found],
            NOTE,
        )
    ]


def list_steps(source: LearntSource, worth: list[Worth]) -> list[Step]:
    """Return what to try, the most promising first; nothing for a good model."""
    if not worth or worth[0].grade == "good":
        return []
    best = worth[0]
    table = read_scores(source, best.model) or {}
    found = [
        *_mend_dynamics(source, best), *_lengthen_reference(source, best),
        *_quieten_forces(source), *_complete_prior(source, table),
        *_train_longer(source), *_relax_weights(source), *_draw_frames(source),
        *_judge_longer(source),
    ]  # fmt: skip
    return sorted(found, key=lambda step: -step.gain)[:MOST_STEPS]


def _mend_dynamics(source: LearntSource, best: Worth) -> Iterator[Step]:
    section = _section(source, "benchmark")
    step = section.get("timestep_fs")
    if best.broken > LEAST_OUTSIDE and isinstance(step, int | float) and step > 1:
        yield Step(
            100.0,
            f"{words.percent(best.broken)} of the {best.model} model's weight is in "
            f"broken structures, at a time step of {words.number(step)} fs.",
            {"benchmark": {"timestep_fs": max(1, step // 2)}},
        )


def _lengthen_reference(source: LearntSource, best: Worth) -> Iterator[Step]:
    section = _section(source, "reference")
    asked, interval = (section.get(k) for k in ("walk_length_ps", "frame_interval_ps"))
    slowest, frames = slowest_timescale(source), source.reference_frames()
    if not isinstance(asked, int | float) or not isinstance(interval, int | float):
        return
    if slowest is None or frames is None or not len(frames):
        return
    walk = longest_walk(frames)
    short = walk < ENOUGH_TIMESCALES * slowest
    if not short and best.grade != "untold":
        return
    wanted = _round_up(max(2.0 * asked, ENOUGH_TIMESCALES * slowest))
    n_frames = math.ceil(wanted / interval - 1e-9)
    yield Step(
        90.0 if best.grade == "untold" else 5.0,
        f"The reference's longest walk lasts {words.number(walk / slowest, 2)} times "
        f"the slowest process ({words.simulated(slowest)} by TICA); "
        f"{ENOUGH_TIMESCALES:g} times are little for populations to settle.",
        {"reference": {"walk_length_ps": _plain(round(n_frames * interval, 6))}},
    )


def _quieten_forces(source: LearntSource) -> Iterator[Step]:
    maps = read_json(source.paths.beside_prior("force_maps.json")) or {}
    found = maps.get("maps") or {}
    key = "mean_squared_force"
    if not maps.get("n_held_out_frames"):
        key += "_training"
    used = found.get(maps.get("chosen")) or {}
    noise = {
        kind: row[key]
        for kind, row in found.items()
        if row.get("is_consistent") and row.get(key)
    }
    if not noise or not used.get(key):
        return
    quietest = min(noise, key=lambda kind: noise[kind])
    ratio = used[key] / noise[quietest]
    if used.get("is_consistent") and ratio <= NOISIER:
        return
    fault = "" if used.get("is_consistent") else ", and is not consistent"
    named = str(maps["chosen"]).replace("_", " ")
    yield Step(
        10.0 * ratio + (50.0 if fault else 0.0),
        f"The forces to learn from have {words.number(ratio, 2)} times the noise that "
        f"they need: the force map {named} has {words.number(used[key])} "
        f"(kcal/mol/Å)² on held-out frames{fault}; {quietest.replace('_', ' ')} has "
        f"{words.number(noise[quietest])}.",
        {"mapping": {"force_map": quietest}},
    )


def _complete_prior(source: LearntSource, table: ScoreTable) -> Iterator[Step]:
    fit = read_json(source.paths.beside_prior("prior_fit.json")) or {}
    terms = fit.get("terms") or {}
    if fit.get("source") != "fitted" or not terms:
        return
    far = {
        name: times_floor(table[name]["kl"])
        for name in ("angles", "dihedrals")
        if "kl" in table.get(name, {}) and is_far(table[name]["kl"])
    }
    lacking = [n for n in far if n not in terms]
    shared = "dihedrals" in far and "dihedrals" in terms and _is_shared(terms)
    if not lacking and not shared:
        return
    change: dict[str, Any] = {}
    if lacking:
        kept = [*terms, *lacking]
        change["terms"] = [t for t in TERMS if t in kept]
    if "dihedrals" in far and (shared or "dihedrals" in lacking):
        change |= {"shared_dihedral": False, "dihedral_scale": 1.0}
    said = [f"{name} are {words.number(v, 2)} times" for name, v in far.items()]
    why = [f"the prior has no term for {words.joined(lacking)}"] if lacking else []
    if shared:
        why.append("one dihedral term serves all beads")
    text = (
        f"{words.joined(said)} as far from the reference as its halves are from each "
        f"other: {', and '.join(why)}."
    )
    yield Step(
        min(60.0, 5.0 * max(far.values())),
        text[:1].upper() + text[1:],
        {"prior": change},
    )


def _is_shared(terms: dict[str, Any]) -> bool:
    """Tell whether all dihedrals have one term."""
    names = [str(t.get("name")) for t in terms["dihedrals"].get("types", [])]
    return bool(names) and all(set(n.split(" - ")) == {"X"} for n in names)


def _train_longer(source: LearntSource) -> Iterator[Step]:
    training = _section(source, "training")
    falling = name_falling(source)
    endings = {m: read_json(source.paths.model(m) / ENDING) for m in source.models}
    overfit = [m for m, e in endings.items() if e and e.get("trend") == "overfit"]
    if falling:
        minutes, epochs = training.get("budget_minutes"), training.get("n_epochs")
        change = {"budget_minutes": _plain(2.0 * minutes)} if minutes else {}
        if not minutes and epochs:
            change = {"n_epochs": 2 * epochs}
        if change:
            plural = "models" if len(falling) > 1 else "model"
            yield Step(
                15.0,
                f"Training of the {words.joined(falling)} {plural} ended while the "
                "validation loss was still falling.",
                {"training": change},
            )
    n_iterations = _section(source, "sample").get("n_iterations")
    if overfit and n_iterations:
        plural = "models" if len(overfit) > 1 else "model"
        yield Step(
            20.0,
            f"The {words.joined(overfit)} {plural} learnt the training frames by heart "
            "(the validation loss rose again): more frames help, longer training "
            "does not.",
            {"sample": {"n_iterations": 2 * n_iterations}},
        )


def _relax_weights(source: LearntSource) -> Iterator[Step]:
    segments, sample = source.paths.segments, _section(source, "sample")
    n_iterations = sample.get("n_iterations")
    if not segments.exists() or not n_iterations or sample.get("targets"):
        return
    with h5py.File(segments, "r", locking=False) as h5:
        if "weight_eq" not in h5:
            return
        distance = float(h5["weight_eq"].attrs.get("distance", 0.0))
    if not distance > FAR_FROM_RELAXED:
        return
    raw = _section(source, "dataset").get("weights", "raw") == "raw"
    yield Step(
        100.0 * distance,
        "The weighted ensemble has not relaxed: its weights are up to "
        f"{distance:.2f} in probability from those of equilibrium"
        + (", and the models learnt with the raw ones." if raw else "."),
        {"dataset": {"weights": "equilibrium"}}
        if raw
        else {"sample": {"n_iterations": 2 * n_iterations}},
    )


def _draw_frames(source: LearntSource) -> Iterator[Step]:
    maps = read_json(source.paths.beside_prior("force_maps.json")) or {}
    training = _section(source, "training")
    ess, n_frames = maps.get("ess_training"), maps.get("n_training_frames")
    weighted = training.get("weighted", True) and "weighted" in source.models
    if not ess or not n_frames or training.get("sampling") != "uniform":
        return
    if training.get("weight_exponent", 1.0) < 1.0:
        return  # what is learnt from is less uneven than the weights
    if weighted and ess < FEW_EFFECTIVE * n_frames:
        yield Step(
            12.0,
            f"The weights of the training frames are uneven: {n_frames:,} frames are "
            f"worth {words.number(ess)}, so most steps of training learn from frames "
            "that hardly count.",
            {"training": {"sampling": "weighted"}},
        )


def _judge_longer(source: LearntSource) -> Iterator[Step]:
    section, slowest = _section(source, "benchmark"), slowest_timescale(source)
    n_iterations, tau_fs = (
        section.get(k) for k in ("n_iterations", "segment_length_fs")
    )
    if not n_iterations or not tau_fs or slowest is None:
        return
    lasted = []
    for model in source.models:
        ends = read_set(source, model).get("time_ps")
        if isinstance(ends, list) and len(ends) == 2 and ends[1] is not None:
            lasted.append(float(ends[1]))
    if lasted and min(lasted) < slowest:
        wanted = max(2.0 * n_iterations, 2.0 * slowest / (tau_fs / 1000.0))
        yield Step(
            8.0,
            f"The models were judged for {words.simulated(min(lasted))}, less than the "
            f"slowest process of the reference ({words.simulated(slowest)} by TICA).",
            {"benchmark": {"n_iterations": int(_round_up(wanted))}},
        )


def _section(source: LearntSource, name: str) -> dict[str, Any]:
    found = source.config.get(name)
    return found if isinstance(found, dict) else {}


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 5, 10, 20, ... that is not smaller."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(float(k * power) for k in (1, 2, 5, 10) if k * power >= value - 1e-9)


def _plain(value: float) -> float:
    """Return a whole number as one."""
    return int(value) if value == int(value) else value


def _write_flow(settings: dict[str, Any]) -> str:
    text: str = yaml.safe_dump(
        settings, default_flow_style=True, sort_keys=False, width=10_000
    )
    return text.strip()
