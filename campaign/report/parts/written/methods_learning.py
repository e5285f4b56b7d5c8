"""What the methods section says of beads, prior, network, training and judging."""

from typing import Any

from apps.science.files import read_json
from apps.science.learning.names import ENDING
from campaign.report.parts.learnt_source import LearntSource
from campaign.report.parts.written.papers import Citations
from campaign.report.parts.written.text_parts import (
    section_of,
    spell_bins,
    spell_counts,
    spell_time,
    tell,
    with_version,
)
from campaign.telling import words

BEADS = {
    "calpha": "one bead per residue at its C-alpha",
    "backbone": "beads at the backbone atoms N, CA and C",
    "backbone_cb": "beads at N, CA, C, O and CB",
}
FORCE_MAPS = {
    "constraint_sum": "summed over atoms that constraints hold together",
    "optimal": "combined with least noise, consistently with the constraints",
    "sum": "summed over the atoms of each bead",
    "slice": "taken from the atoms at the beads",
    "mass_average": "averaged by mass",
}
TERM_WORDS = {
    "bonds": "harmonic bonds", "angles": "angles", "dihedrals": "dihedrals",
    "repulsion": "repulsion",
}  # fmt: skip
MOST_NAMED = 4
"""Models whose names a sentence holds; of more it says how many."""


def say_learning(source: LearntSource, cites: Citations) -> str:
    """Say what was learnt: beads, forces, prior, network and training."""
    home = LearntSource(source.paths.each_protein()[0])
    mapping = home.mapping
    kind = str(mapping.get("kind") or section_of(source, "mapping").get("beads"))
    n_beads = len(mapping.get("names") or [])
    beads = BEADS.get(kind, "beads of its own choice")
    several = len(source.paths.each_protein()) > 1
    count = f" ({words.count(n_beads, 'bead')})" if n_beads and not several else ""
    said = [f"Structures were mapped to {beads}{count}"]
    maps = read_json(home.paths.beside_prior("force_maps.json")) or {}
    chosen = str(maps.get("chosen") or section_of(source, "mapping").get("force_map"))
    if source.config.get("type") == "force_field":
        how = FORCE_MAPS.get(chosen, "mapped with least noise on held-out frames")
        said.append(f" and forces {how}{cites.cite('force_maps', 'force_matching')}")
    said.append(". ")
    if several and source.paths.learns_each:
        said.append("Each protein had a prior, a training set and models of its own. ")
    said += _say_prior(home, kind, cites)
    said += _say_network(source, cites)
    said += _say_training(source, maps, cites)
    return "".join(said)


def _say_prior(home: LearntSource, kind: str, cites: Citations) -> list[str]:
    fit = read_json(home.paths.beside_prior("prior_fit.json")) or {}
    asked = section_of(home, "prior")
    terms = list(fit.get("terms") or asked.get("terms") or [])
    named = [TERM_WORDS[t] for t in TERM_WORDS if t in terms]
    papers = ["torchmd", "cgnets"]
    preset = str(asked.get("preset") or "auto")
    if preset.startswith("CA_Majewski") or (preset == "auto" and kind == "calpha"):
        papers.append("majewski")
    of = f" of {words.joined(named)}" if named else ""
    source_of = "fitted to the same frames"
    if fit.get("source", "fitted") != "fitted":
        source_of = "with given parameters"
    return [f"A prior{of}{cites.cite(*papers)}, {source_of}, was subtracted. "]


def _say_network(source: LearntSource, cites: Citations) -> list[str]:
    model = section_of(source, "model")
    kind = str(model.get("kind"))
    size = spell_counts(model.get("num_layers"), "layer")
    if kind == "cgschnet":
        text = f"a CGSchNet network{cites.cite('cgschnet')}"
    elif kind == "torchmd_net":
        architecture = str(model.get("architecture", "graph-network"))
        text = (
            f"a {architecture.replace('graph-network', 'graph network')} of "
            f"{with_version(source, 'torchmd-net', 'TorchMD-Net')}"
            f"{cites.cite('torchmd_net')}"
        )
    elif kind == "cgnet":
        text = f"a CGnet{cites.cite('cgnets')}"
        size += f" of width {model.get('width')}"
    else:
        text = f"a network of kind {kind}"
        size = size if model.get("num_layers") else "of our own"
    if model.get("embedding_dimension"):
        size += f" and {model['embedding_dimension']} channels"
    if model.get("cutoff_angstrom"):
        size += f", cutoff {words.number(model['cutoff_angstrom'])} Å"
    return [f"The rest of the mean force was learnt by {text} ({size})"]


def _say_training(
    source: LearntSource, maps: dict[str, Any], cites: Citations
) -> list[str]:
    training = section_of(source, "training")
    n_frames, n_held_out = (
        maps.get(k) for k in ("n_training_frames", "n_held_out_frames")
    )
    # numbers of one protein of several say nothing of all
    one = len(source.paths.each_protein()) == 1
    frames = ""
    if n_frames and n_held_out is not None and one:
        frames = f" on {n_frames:,} frames, {n_held_out:,} held out,"
    said = [
        f", trained by force matching{frames} with "
        f"{with_version(source, 'torch', 'PyTorch')}{cites.cite('pytorch')} and AdamW"
        f"{cites.cite('adamw')} (largest learning rate "
        f"{_spell_rate(source, training)}, {tell(training, 'schedule')} "
        f"schedule, batches of {tell(training, 'batch_size')}, "
        f"{_spell_length(source, training)})"
    ]
    noise = training.get("noise_angstrom")
    if noise:
        said.append(
            f", with noise of {words.number(noise)} Å added to the positions"
            f"{cites.cite('noise')}"
        )
    said.append(". ")
    names = [str(m) for m in source.all_models]
    if set(names) == {"weighted", "unweighted"}:
        said.append(
            "The weighted model counted each frame by its weight in the ensemble, the "
            "unweighted one all frames alike; the epoch of least validation loss was "
            "kept."
        )
    elif len(names) > 1:
        which = f" ({words.joined(names)})" if len(names) <= MOST_NAMED else ""
        said.append(
            f"{len(names)} models{which} were trained, which differ in settings; of "
            "each the epoch of least validation loss was kept."
        )
    else:
        said.append("The epoch of least validation loss was kept.")
    return said


def _spell_rate(source: LearntSource, training: dict[str, Any]) -> str:
    """Return the largest learning rate: as asked for, or as a range test found it."""
    asked = training.get("learning_rate")
    if asked != "auto":
        return words.number(asked)
    endings = [
        read_json(run.model(m) / ENDING) or {}
        for run in source.paths.each_learner()
        for m in source.models
    ]
    found = {e["learning_rate"] for e in endings if e.get("learning_rate")}
    if not found:  # no training has ended yet
        return "from range tests"
    rates = words.joined([words.number(rate) for rate in sorted(found)])
    return f"{rates} from range tests"


def _spell_length(source: LearntSource, training: dict[str, Any]) -> str:
    """Return how long training lasted: epochs that were run, or those asked for."""
    minutes = training.get("budget_minutes")
    run = [
        n for one in source.paths.each_learner() for m in source.models
        if (n := len(_epochs(LearntSource(one), m)))
    ]  # fmt: skip
    if not run:
        if minutes:
            return f"{words.number(minutes)} minutes"
        return spell_counts(training.get("n_epochs"), "epoch")
    least, most = min(run), max(run)
    epochs = (
        spell_counts(most, "epoch") if least == most else f"{least} to {most} epochs"
    )
    return f"{epochs} in {words.number(minutes)} minutes" if minutes else epochs


def _epochs(source: LearntSource, model: str) -> Any:
    columns = source.training(model)
    return next(iter(columns.values()), [])


def say_judging(source: LearntSource, cites: Citations) -> str:
    """Say how models were run, and compared with the reference."""
    run = section_of(source, "benchmark") or section_of(source, "simulation")
    if not run:
        return ""
    step, friction = (
        words.number(run.get(k)) for k in ("timestep_fs", "friction_per_ps")
    )
    dynamics = (
        f"Langevin dynamics (BAOAB{cites.cite('baoab')}, time step {step} fs, friction "
        f"{friction} ps⁻¹)"
    )
    if run.get("n_replicas"):
        said = [
            f"Each model was run by {dynamics} in {run['n_replicas']} replicas of "
            f"{spell_time(run.get('length_ps'))}"
        ]
    else:
        tau = spell_time(run.get("segment_length_fs"), 1e-3)
        said = [
            f"Each model was run by {dynamics} under weighted ensemble: "
            f"{spell_counts(run.get('n_iterations'), 'iteration')} of {tau}, with "
            f"{tell(run, 'walkers_per_bin')} walkers in each of "
            f"{spell_bins(run.get('bins') or {}, cites)}, from {tell(run, 'n_starts')} "
            "frames of the reference"
        ]
    burn_in = run.get("burn_in_fraction")
    if burn_in:
        said.append(f"; the first {words.percent(burn_in)} was left out")
    said.append(
        ". Densities were compared by Kullback-Leibler divergence, and the ground they "
        f"cover by 99 % highest-density regions{cites.cite('hdr')}. Intervals are "
        f"95 % ones of a block bootstrap ({tell(run, 'n_bootstrap')} samples) over "
        "lineages; the floor is what random halves of the reference give against each "
        "other."
    )
    return "".join(said)
