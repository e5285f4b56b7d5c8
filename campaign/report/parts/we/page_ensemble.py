"""The weighted-ensemble run: walkers, weights, flux, and where it went."""

from pathlib import Path
from typing import Any

import h5py

from apps.science.arrays import Array
from campaign.report.kit.blocks import Download, Facts, Fold, Gallery, Note, Section
from campaign.report.kit.canvas import Canvas
from campaign.report.parts.judged.landscape import read_planes
from campaign.report.parts.learnt_source import LearntSource
from campaign.report.parts.we.ensemble_flux import (
    draw_flux,
    flux_facts,
    flux_notes,
    read_fluxes,
    target_labels,
)
from campaign.report.parts.we.ensemble_reach import (
    coordinate_names,
    draw_exploration,
    draw_reach,
    is_tica,
    read_points,
)
from campaign.report.parts.we.ensemble_walkers import draw_walkers, draw_weights
from campaign.report.parts.we.ensemble_work import (
    draw_idle,
    draw_segment_times,
    work_facts,
)
from campaign.report.parts.we.history import History, read_history, write_table
from campaign.telling import words

TABLE = "we_iterations.csv"


def weighted_ensemble(source: LearntSource, canvas: Canvas) -> Section:
    """Show how the sampling run went."""
    section = Section(
        "ensemble",
        "The weighted-ensemble run",
        "Did the walkers spread, did their weights stay healthy, and did they see "
        "what the reference saw?",
    )
    journal = source.journal
    if not journal:
        section.blocks.append(
            Note("The sample stage has not closed an iteration yet.", "missing")
        )
        return section
    history = read_history(journal)
    fluxes = read_fluxes(source, history)
    write_table(history, fluxes, canvas.folder / TABLE)
    tau_ps = segment_ps(source.config)
    facts = ensemble_facts(source, history)
    if fluxes:
        facts += flux_facts(fluxes, history.burn_in, tau_ps)
    section.blocks.append(Facts(facts + work_facts(history)))
    section.blocks += flux_notes(fluxes, history.burn_in)
    section.blocks += missing_notes(source, history, fluxes)
    arrived = [(label, flux) for label, flux in fluxes.items() if flux.any()]
    pictures = [draw_walkers(history, canvas), draw_weights(history, canvas)]
    pictures += [
        draw_flux(label, flux, history, tau_ps, canvas, k)
        for k, (label, flux) in enumerate(arrived)
    ]
    reference = read_planes(source, []).get("reference") if is_tica(source) else None
    points = read_points(source.paths.we, journal)
    n_dim = history.n_dim if points is None else points[0].shape[1]
    names = coordinate_names(source, max(n_dim, history.n_dim))
    if history.n_dim:
        pictures.append(draw_reach(history, reference, names, canvas))
    if points is not None and points[0].shape[1] > 1:
        pictures.append(draw_exploration(points, reference, names, canvas))
    section.blocks.append(Gallery(pictures))
    if not history.n_dim and points is None:
        section.blocks.append(
            Note("The shards hold no progress coordinates.", "missing")
        )
    work = []
    if history.knows("segment_s_median"):
        work.append(draw_segment_times(history, canvas))
    if history.knows("idle_share"):
        work.append(draw_idle(history, canvas))
    if work:
        title = "How the work went: segment times and idle slots"
        section.blocks.append(Fold(title, [Gallery(work)]))
    section.blocks.append(Download("Every iteration in one table:", TABLE))
    return section


def ensemble_facts(source: LearntSource, history: History) -> list[tuple[str, str]]:
    """Return the run in numbers."""
    n_segments = int(history["walkers"].sum())
    rows = [
        ("Iterations closed", f"{len(history):,}"),
        ("Segments", f"{n_segments:,}"),
        ("Walkers in the last iteration", f"{int(history['walkers'][-1]):,}"),
        (
            "Effective walkers (last three quarters)",
            f"{words.number(history.late_ess)} in the median",
        ),
        (
            "Smallest and largest weight",
            f"{words.number(float(history['weight_min'].min()))} and "
            f"{words.number(float(history['weight_max'].max()))}",
        ),
    ]
    rows += equilibrium_facts(source.paths.segments)
    picoseconds = segment_ps(source.config)
    if picoseconds:
        total = words.simulated(n_segments * picoseconds)
        each = words.simulated(picoseconds)
        rows.insert(2, ("Simulated time", f"{total} in segments of {each}"))
    return rows


def equilibrium_facts(segments: Path) -> list[tuple[str, str]]:
    """Return how the equilibrium weights in segments.h5 compare with the raw ones."""
    if not segments.exists():
        return []
    with h5py.File(segments, "r", locking=False) as h5:
        if "weight_eq" not in h5:
            return []
        found = dict(h5["weight_eq"].attrs)
    said = (
        f"{words.number(float(found['ess']))} effective of {int(found['n_segments']):,}"
        f" segments; up to {float(found['distance']):.2f} from the raw probabilities"
    )
    return [("Equilibrium weights (Markov models)", said)]


def missing_notes(
    source: LearntSource, history: History, fluxes: dict[str, Array]
) -> list[Note]:
    """Return what an older journal, or a torn west.h5, leaves undrawn."""
    lacking = [
        said
        for name, said in (("bins", "occupied bins"), ("segment_s_median",
                           "segment times"), ("n_slots", "idle share of the slots"))
        if not history.knows(name)
    ]  # fmt: skip
    notes = []
    if lacking:
        text = f"The journal does not tell {words.joined(lacking)}: it was written by "
        text += "an earlier version."
        notes.append(Note(text, "missing"))
    wanted = dict.fromkeys([*history.flux, *target_labels(source.config)])
    unknown = [repr(label) for label in wanted if label not in fluxes]
    if unknown:
        text = "Neither the journal nor west.h5 tells the flux into "
        text += f"{words.joined(unknown)} of every iteration."
        notes.append(Note(text, "missing"))
    return notes


def segment_ps(config: dict[str, Any]) -> float | None:
    """Return the segment length of the sampling run, ps, where it is configured."""
    sample = config.get("sample")
    if not isinstance(sample, dict):
        return None
    for part in (sample, *[v for v in sample.values() if isinstance(v, dict)]):
        for key, size in (("segment_length_ps", 1.0), ("segment_length_fs", 1e-3),
                          ("segment_ps", 1.0), ("segment_fs", 1e-3)):  # fmt: skip
            if isinstance(part.get(key), int | float):
                return float(part[key]) * size
    return None
