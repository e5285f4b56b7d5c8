"""The methods section of a manuscript, made from what a run did and with what."""

import textwrap
from dataclasses import dataclass
from typing import Any

from apps.science.systems.unfolding import list_built
from campaign.report.parts.learnt_source import LearntSource
from campaign.report.parts.written.methods_learning import say_judging, say_learning
from campaign.report.parts.written.papers import Citations
from campaign.report.parts.written.text_parts import (
    packages,
    section_of,
    spell_bins,
    spell_counts,
    spell_time,
    tell,
    with_version,
)
from campaign.telling import words

SOLVENTS = {
    "obc2": ("generalized Born (OBC2) implicit solvent", "obc2"),
    "gbn2": ("generalized Born (GBn2) implicit solvent", "gbn2"),
    "tip3pfb": ("TIP3P-FB water with particle-mesh Ewald electrostatics", "tip3pfb"),
    "vacuum": ("vacuum", ""),
}
FEATURES = {
    "distances": "distances of beads three or more apart along the chain",
    "dihedrals": "sines and cosines of backbone torsions",
}
PCOORDS = {
    "tica": "the two slowest of these coordinates",
    "rmsd": "the RMSD to a reference structure",
    "dihedrals": "torsions of the atoms",
}
WIDTH = 88


@dataclass(frozen=True)
class Methods:
    """Paragraphs with numbered citations, and what the numbers stand for."""

    paragraphs: list[str]
    references: list[str]

    def as_text(self) -> str:
        """Return it as plain text."""
        filled = [_fill(p) for p in self.paragraphs]
        listed = [_fill(r, subsequent_indent="    ") for r in self.references]
        return "\n\n".join([*filled, "References", "\n".join(listed)]) + "\n"


def _fill(text: str, subsequent_indent: str = "") -> str:
    """Break lines between words only, so that a DOI stays whole."""
    return textwrap.fill(
        text, WIDTH, subsequent_indent=subsequent_indent, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def write_methods(source: LearntSource) -> Methods | None:
    """Return the methods of a run; None where it does not say what was asked."""
    if not source.config.get("type"):
        return None
    cites = Citations()
    paragraphs = [
        _say_system(source, cites), _say_sampling(source, cites),
        say_learning(source, cites), say_judging(source, cites),
        _say_software(source, cites),
    ]  # fmt: skip
    # a line never begins with a percent sign
    bound = [p.replace(" %", "\N{NO-BREAK SPACE}%") for p in paragraphs if p]
    return Methods(bound, cites.list())


def _say_system(source: LearntSource, cites: Citations) -> str:
    """Say what was simulated with all atoms, and how."""
    if source.config.get("type") != "force_field":
        return _say_given_frames(source)
    homes = [LearntSource(home) for home in source.paths.each_protein()]
    asked = homes[0].asked_system
    solvent, paper = SOLVENTS.get(str(asked.get("solvent")), ("", ""))
    said = [
        f"{words.joined([_name(home) for home in homes])} "
        f"{'was' if len(homes) == 1 else 'were'} simulated with "
        f"{with_version(source, 'openmm', 'OpenMM')}{cites.cite('openmm')} and the "
        f"AMBER ff14SB force field{cites.cite('ff14sb')} in {solvent}"
        f"{cites.cite(paper) if paper else ''}"
    ]
    salt = asked.get("ionic_strength_molar")
    if salt:
        said.append(f" at an ionic strength of {words.number(salt)} M")
    said.append(
        f", at {_spell_of_each(homes, 'temperature_kelvin', 'K')} by Langevin dynamics "
        f"(middle scheme{cites.cite('lfmiddle')}, friction "
        f"{words.number(asked.get('friction_per_ps'))} ps⁻¹, time step "
        f"{_spell_of_each(homes, 'timestep_fs', 'fs')}) with bonds to hydrogen "
        "constrained"
    )
    mass = asked.get("hydrogen_mass_amu")
    if isinstance(mass, int | float) and mass > 1.1:
        said.append(
            f" and hydrogen masses repartitioned to {words.number(mass)} u"
            f"{cites.cite('hydrogen_masses')}"
        )
    if str(asked.get("solvent")) == "tip3pfb":
        pressure = words.number(asked.get("pressure_atm"))
        said.append(f", under a Monte Carlo barostat at {pressure} atm")
    said.append(_say_starts(homes[0]))
    reference, tica = (section_of(source, name) for name in ("reference", "tica"))
    n_walks, length = reference.get("n_walks"), reference.get("walk_length_ps")
    if n_walks and length:
        each = " of each protein" if len(homes) > 1 else ""
        said.append(
            f" The reference{each} was {spell_counts(n_walks, 'unbiased trajectory')} "
            f"of {spell_time(length)}, with frames every "
            f"{spell_time(reference.get('frame_interval_ps'))}."
        )
    features = FEATURES.get(str(tica.get("features")), "bead coordinates")
    if tica:
        said.append(
            " Slow coordinates were found in it by time-lagged independent component "
            f"analysis{cites.cite('tica')} "
            f"({with_version(source, 'deeptime', 'deeptime')}"
            f"{cites.cite('deeptime')}) of {features}, at a lag "
            f"of {spell_time(tica.get('lag_ps'))}."
        )
    return "".join(said)


def _spell_of_each(homes: list[LearntSource], key: str, unit: str) -> str:
    """Return a setting of the systems, where it differs with whose it is."""
    found: dict[str, list[str]] = {}
    for home in homes:
        value = f"{words.number(home.asked_system.get(key))} {unit}"
        found.setdefault(value, []).append(str(home.paths.protein).replace("_", " "))
    if len(found) == 1:
        return next(iter(found))
    return words.joined([f"{v} ({', '.join(names)})" for v, names in found.items()])


def _say_starts(home: LearntSource) -> str:
    """End the sentence of the system; say where sampling began, if from a hot run."""
    names, asked = home.system.get("start_names", []), home.asked_system
    n_hot = len(names) - len(list_built(names))
    if not n_hot:
        return "."
    return (
        f". Sampling began at {words.joined(list_built(names))} structures and at "
        f"{words.count(n_hot, 'frame')} of a run of "
        f"{spell_time(asked.get('unfolding_ps'))} at "
        f"{words.number(asked.get('unfolding_kelvin'))} K, each minimised and brought "
        "to temperature."
    )


def _name(home: LearntSource) -> str:
    """Return a protein with its length and where its structure is from."""
    asked = home.asked_system
    sequence = str(home.system.get("sequence") or asked.get("sequence") or "")
    name = home.paths.protein or asked.get("fold") or home.config.get("name")
    text = str(name).replace("_", " ")
    about = []
    if sequence:
        about.append(words.count(len(sequence), "residue"))
    if len(sequence) <= 30 and sequence:
        about.append(sequence)
    if asked.get("pdb"):
        about.append(f"structure {str(asked['pdb']).rsplit('/', 1)[-1]}")
    return f"{text} ({', '.join(about)})" if about else text


def _say_given_frames(source: LearntSource) -> str:
    frames = source.reference_frames()
    n_frames = "Frames" if frames is None else words.count(len(frames), "frame")
    kelvin = words.number(section_of(source, "system").get("temperature_kelvin"))
    return (
        f"{n_frames} of given simulations at {kelvin} K, with the forces on the beads, "
        "were what models learnt from and were judged by."
    )


def _say_sampling(source: LearntSource, cites: Citations) -> str:
    """Say how the weighted ensemble sampled."""
    sample = section_of(source, "sample")
    if not sample:
        return ""
    homes = [LearntSource(home) for home in source.paths.each_protein()]
    n_segments = sum(i.n_segments for home in homes for i in home.journal)
    n_closed = [len(home.journal) for home in homes if home.journal]
    n_iterations = min(n_closed) if n_closed else sample.get("n_iterations")
    tau_fs = sample.get("segment_length_fs")
    said = [
        f"Weighted-ensemble sampling{cites.cite('we')} was done with "
        f"{with_version(source, 'westpa', 'WESTPA')}{cites.cite('westpa')}: "
        f"{spell_counts(n_iterations, 'iteration')} of {spell_time(tau_fs, 1e-3)}"
    ]
    if len(homes) > 1:
        said.append(" of each protein")
    if n_segments and tau_fs:
        total = spell_time(n_segments * tau_fs, 1e-3)
        said.append(f", {n_segments:,} segments and {total} in all")
    said.append(
        f", with {tell(sample, 'walkers_per_bin')} walkers in each of "
        f"{spell_bins(sample.get('bins') or {}, cites)} on {_spell_pcoord(source)}, "
        f"and frames every {spell_time(sample.get('frame_interval_fs'), 1e-3)}."
    )
    targets = sample.get("targets") or []
    if targets:
        names = words.joined([str(t.get("label", "target")) for t in targets])
        said.append(
            f" Walkers that reached {names} were recycled to the starts (steady state)."
        )
    weights = {
        str(section_of(source, name).get("weights")) for name in ("dataset", "prior")
    }
    if "equilibrium" in weights:
        said.append(
            " Weights were brought to equilibrium by randomized iterative trajectory "
            f"reweighting{cites.cite('riteweight')}."
        )
    return "".join(said)


def _spell_pcoord(source: LearntSource) -> str:
    sample = section_of(source, "sample")
    asked: Any = sample.get("pcoord") or {"kind": "tica"}
    kind = str(asked.get("kind", "tica")) if isinstance(asked, dict) else str(asked)
    return PCOORDS.get(kind, f"the progress coordinate {kind}")


def _say_software(source: LearntSource, cites: Citations) -> str:
    """Say what drove it all, and from which seed."""
    found = packages(source)
    weft = f"weft {found['weft']}" if found.get("weft") else "weft"
    revision = str(source.environment.get("git") or "")[:12]
    said = [
        f"All of it was run by {weft}{f' (revision {revision})' if revision else ''}"
    ]
    said.append(
        f" on {with_version(source, 'parsl', 'Parsl')}{cites.cite('parsl')}, from the "
        f"seed {source.config.get('seed')}."
    )
    named = {"numpy": "NumPy", "scipy": "SciPy", "mdtraj": "MDTraj", "h5py": "h5py"}
    others = [f"{named[k]} {found[k]}" for k in named if found.get(k)]
    if source.environment.get("python"):
        others.insert(0, f"Python {source.environment['python']}")
    if others:
        said.append(f" Further software: {words.joined(others)}.")
    return "".join(said)
