"""The prior against the data, term by term, and how noisy each force map is."""

from typing import Any

import numpy as np

from apps.science.files import read_json
from campaign.report.kit import style
from campaign.report.kit.blocks import (
    Block,
    Cell,
    Facts,
    Fold,
    Gallery,
    Note,
    Picture,
    Section,
    Table,
)
from campaign.report.kit.canvas import Canvas, above_axes
from campaign.report.parts.learnt_source import LearntSource
from campaign.telling import words

TERMS = {
    "bonds": "Bonds",
    "angles": "Angles",
    "dihedrals": "Dihedrals",
    "repulsion": "Repulsion",
}
QUESTIONS = {
    "bonds": "Is each bond as long and as stiff as in the data?",
    "angles": "Does each angle lie where the data has it?",
    "dihedrals": "Which turns does the prior favour? A shared or halved term is meant "
    "to be flatter than the data.",
    "repulsion": "How near may two beads come? Densities of pair distance over r², "
    "each with its peak at one; the fit is that of two beads of one type.",
}
N_SHOWN = 10
"""Types a picture shows; those with most data come first."""


def prior(source: LearntSource, canvas: Canvas) -> Section:
    """Show data against fit per term, the gate's verdict, and every force map."""
    section = Section(
        "prior",
        "Prior and force map",
        "Does the prior follow the data, and how noisy are the forces to learn from?",
    )
    fit = read_json(source.paths.beside_prior("prior_fit.json"))
    if fit:
        section.blocks.extend(_describe_prior(fit, canvas))
    else:
        section.blocks.append(Note("The prior has not been fitted yet.", "missing"))
    maps = read_json(source.paths.beside_prior("force_maps.json"))
    if maps:
        section.blocks.extend(_describe_maps(maps))
    gaps = source.mapping.get("gaps") or []
    section.blocks.extend(
        Note(f"No bond crosses a gap: {gap}.", "caution") for gap in gaps
    )
    return section


def said_of(fit: dict[str, Any]) -> str:
    """Return which weights the frames were counted with, in words."""
    kind = str(fit.get("weights", "raw")).removesuffix(" WE")
    return {"raw": "their WE", "equilibrium": "their equilibrium"}.get(kind, kind)


def _describe_prior(fit: dict[str, Any], canvas: Canvas) -> list[Block]:
    source = "fitted to the frames"
    if fit["source"] != "fitted":
        source = f"given by {str(fit['source']).rsplit('/', 1)[-1]}"
    blocks: list[Block] = [
        Facts(
            [
                ("Parameters", source),
                ("Frames", f"{fit['n_frames']:,}, by {said_of(fit)} weights"),
                ("Temperature", f"{fit['temperature_kelvin']:g} K"),
                ("Prior-only dynamics", describe_gate(fit["gate"])),
            ]
        )
    ]
    if fit["gate"].get("passed") is False:
        blocks.append(Note(fit["gate"]["message"], "caution"))
    terms = fit["terms"]
    pictures = [draw_term(t, terms[t], canvas) for t in TERMS if t in terms]
    if pictures:
        blocks.append(Gallery(pictures))
        tables = [_tabulate(t, terms[t]) for t in TERMS if t in terms]
        blocks.append(Fold("Every parameter of the prior", tables))
    return blocks


def describe_gate(gate: dict[str, Any]) -> str:
    """Say what the stability gate saw."""
    if gate.get("passed") is None:
        return "not run (prior.gate_steps is 0)"
    if not gate["passed"]:
        return "failed"
    kicked = gate["largest_deviation_sigma"] > gate["limit_sigma"]
    return (
        f"stable for {gate['n_steps']:,} steps of {gate['timestep_fs']:.2f} fs in "
        f"{gate['n_replicas']} replicas; largest bond deviation "
        f"{gate['largest_deviation_sigma']:.1f} standard deviations, "
        f"{gate['limit_sigma']:.1f} allowed"
        f"{' but for brief kicks' if kicked else ''}; "
        f"took {gate['seconds']:.0f} s"
    )


def draw_term(term: str, described: dict[str, Any], canvas: Canvas) -> Picture:
    """Draw the types of a term above each other: data filled, fit and prior lines."""
    ranked = sorted(described["types"], key=lambda t: -t["n_effective"])[:N_SHOWN]
    shown = sorted(ranked, key=lambda t: t["name"], reverse=True)
    height = 1.15 + 0.38 * len(shown)
    numbers: dict[str, Any] = {}
    with canvas.axes((style.PANEL[0], height)) as (figure, axes):
        for level, row in enumerate(shown):
            x, data, fit = (np.array(row[k]) for k in ("x", "data", "fit"))
            scale = 0.85 / max(float(data.max()), float(fit.max()), 1e-300)
            last = level == len(shown) - 1
            axes.fill_between(
                x, level, level + scale * data, color=style.BASELINE, alpha=0.22, lw=0,
                label="data" if last else None,
            )  # fmt: skip
            axes.plot(
                x, level + scale * fit, color=style.FIRST, lw=1.5,
                label="this term alone" if last else None,
            )  # fmt: skip
            if row["prior_alone"]:
                alone = np.minimum(scale * np.array(row["prior_alone"]), 0.95)
                axes.plot(
                    x, level + alone, color=style.SECOND, lw=1.1, ls=(0, (4, 2)),
                    label="dynamics of the prior" if last else None,
                )  # fmt: skip
            numbers[row["name"]] = {
                k: row[k] for k in ("x", "data", "fit", "prior_alone", "parameters")
            }
        axes.set_yticks(range(len(shown)), [shorten(row["name"]) for row in shown])
        axes.set_ylim(-0.08, len(shown) + 0.02)
        axes.tick_params(axis="y", length=0, labelsize=8)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(described["label"])
        above_axes(axes, small=True)
        n_left = len(described["types"]) - len(shown)
        more = f" {n_left} types with less data are in the table." if n_left else ""
        return canvas.keep(
            figure,
            f"prior_{term}",
            caption=f"{TERMS[term]}. {QUESTIONS[term]}{more}",
            alt=f"densities of {described['label']} in the data and of the fit",
            numbers=numbers,
        )


def shorten(name: str) -> str:
    """Write C-alpha types by their letter, and any type once for a shared term."""
    parts = name.split(" - ")
    if set(parts) == {"X"}:
        return "all types"
    calpha = [len(p) == 3 and p.startswith("CA") for p in parts]
    return " ".join(p[2] if ca else p for p, ca in zip(parts, calpha, strict=True))


def _tabulate(term: str, described: dict[str, Any]) -> Table:
    heads = list(dict.fromkeys(k for t in described["types"] for k in t["parameters"]))
    rows = [
        [
            Cell(shorten(row["name"])),
            *(Cell(words.number(row["parameters"].get(k), 4)) for k in heads),
            Cell(words.number(row["n_effective"], 3)),
        ]
        for row in described["types"]
    ]
    return Table(
        f"{TERMS[term]}: kcal/mol, Å and rad; k0 stands before the square without a ½.",
        ["Type", *heads, "Effective samples"],
        rows,
    )


def _describe_maps(maps: dict[str, Any]) -> list[Block]:
    """Tabulate how every force map does on held-out frames."""
    held_out = maps["n_held_out_frames"] > 0
    key = "mean_squared_force" if held_out else "mean_squared_force_training"
    base = maps["maps"]["constraint_sum"][key]
    quietest = min(
        (kind for kind, row in maps["maps"].items() if row["is_consistent"]),
        key=lambda kind: maps["maps"][kind][key],
        default=None,
    )
    rows = [
        [
            Cell(kind.replace("_", " "), "used" if kind == maps["chosen"] else ""),
            Cell(words.number(row[key], 4), best=kind == quietest),
            Cell(words.number(row[key] / base, 3) if base else words.NONE),
            Cell(f"{min(row['diagonal']):.2f} to {max(row['diagonal']):.2f}"),
            Cell(str(row["n_split_constraints"])),
            Cell("yes" if row["is_consistent"] else "no"),
        ]
        for kind, row in maps["maps"].items()
    ]
    n_frames = maps["n_held_out_frames" if held_out else "n_training_frames"]
    blocks: list[Block] = [
        Table(
            f"Mean squared bead force, (kcal/mol/Å)², on {n_frames:,} "
            f"{'held-out' if held_out else 'training'} frames. Consistent maps have "
            "one mean force; of them the one with the smallest figure (bold) has the "
            "least noise to learn from.",
            ["Force map", "Mean squared force", "To constraint sum",
             "Diagonal of D·Ξᵀ", "Constraints cut", "Consistent"],
            rows,
        )
    ]  # fmt: skip
    reason = maps.get("reason")  # older files have none
    if reason:
        blocks.append(Note(f"{reason[0].upper()}{reason[1:]}."))
    fault = maps["maps"][maps["chosen"]]["fault"]
    if fault:
        blocks.append(Note(f"{fault[0].upper()}{fault[1:]}.", "caution"))
    return blocks
