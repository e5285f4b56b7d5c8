"""What a force-field campaign will do, counted from its settings, and its miniature."""

from pathlib import Path
from typing import Any, Final

from apps.roles import MD
from apps.science.systems.size import SystemSize, estimate_size
from apps.science.units import FS_PER_PS
from apps.science.we.config import WEConfig
from campaign.estimate.work import Work
from campaign.stages.learning_work import list_learning, shrink_training
from campaign.stages.names import at_protein
from campaign.stages.sampling_config import BenchmarkConfig, SampleConfig
from campaign.types.force_field.config import Config
from campaign.types.force_field.protein import group_proteins

_POSITION, _WITH_FORCE, _STATE = 12, 24, 24
"""Bytes of an atom in a frame, with its force, and at the end of a segment."""
_SEGMENT_IN_WEST = 400
"""Rows of west.h5, its snapshot and the journal."""
_PS_PER_NS = 1000.0
_BEADS: Final = {"calpha": 1, "backbone": 3}


def list_work(config: Config) -> list[Work]:
    """Return the stages of a campaign with what they do, at most.

    Raises
    ------
    StructureError
        If a structure cannot be read.
    """
    works: list[Work] = []
    sizes = {name: estimate_size(s) for name, s in config.systems.items()}
    n_beads = {
        name: size.n_residues * _BEADS[config.systems[name].beads]
        for name, size in sizes.items()
    }
    n_frames = {}
    for name, size in sizes.items():
        works += [_prepare(config, name, size), _reference(config, name, size)]
        works.append(sampled := _sample(config, name, size))
        n_frames[name] = sampled.n_frames
    for group in group_proteins(Path(), config):
        names = [protein.name for protein in group]
        works += list_learning(
            config, sum(n_frames[n] for n in names), max(n_beads[n] for n in names),
            group[0].paths,
        )  # fmt: skip
    for variant in config.variants:
        for name in sizes:
            stage = at_protein(f"benchmark_{variant.name}", name)
            works.append(_judge(config, stage, n_beads[name]))
    return works


def shrink(config: Config) -> dict[str, Any]:
    """Return settings that make a campaign of every stage in about a minute.

    The systems, the model and the bins are its own; lengths are the shortest that
    every stage can still work with.
    """
    reference, sample, judge = config.reference, config.sample, config.benchmark
    interval = reference.frame_interval_ps
    lag = config.tica.lag_ps
    n_frames = max(200, round(4 * lag / interval) + 1)
    return {
        "reference": {
            "n_walks": min(reference.n_walks, 2),
            "walk_length_ps": min(n_frames * interval, reference.walk_length_ps),
            "lineage_block_ps": min(10 * interval, reference.lineage_block_ps),
        },
        "sample": {"n_iterations": min(3, sample.n_iterations)},
        "prior": {"gate_steps": min(500, config.prior.gate_steps)},
        "training": shrink_training(config),
        "benchmark": {"n_iterations": min(3, judge.n_iterations), "n_bootstrap": 20},
    }


def _prepare(config: Config, name: str | None, size: SystemSize) -> Work:
    system = config.systems[name]
    ps = size.n_starts * (system.equilibration_ps + 10.0)  # minimisation is about 10 ps
    ps += system.unfolding_ps if size.unfolds else 0.0
    return Work(
        at_protein("prepare", name), MD, ps, "ps", 1, 1, ps / _PS_PER_NS,
        n_bytes=400 * size.n_particles, n_particles=size.n_particles,
    )  # fmt: skip


def _reference(config: Config, name: str | None, size: SystemSize) -> Work:
    asked = config.reference
    ps = asked.n_walks * asked.walk_length_ps
    n_frames = round(ps / asked.frame_interval_ps)
    return Work(
        at_protein("reference", name), MD, ps, "ps", asked.n_walks, asked.n_walks,
        ps / _PS_PER_NS, n_frames, n_frames * size.n_solute * _POSITION * 2,
        size.n_particles,
    )  # fmt: skip


def _sample(config: Config, name: str | None, size: SystemSize) -> Work:
    asked = config.sample
    frame = size.n_solute * _WITH_FORCE
    return _walk(
        at_protein("sample", name), asked, frame, 2 * _STATE * size.n_particles,
        size.n_particles,
    )  # fmt: skip


def _judge(config: Config, stage: str, n_beads: int) -> Work:
    # beads have no forces; frames are also kept joined, twice
    frame, ends = 3 * n_beads * _POSITION, 2 * _STATE * n_beads
    return _walk(stage, config.benchmark, frame, ends, 0)


def _walk(
    stage: str,
    asked: SampleConfig | BenchmarkConfig,
    frame_bytes: int,
    end_bytes: int,
    n_particles: int,
) -> Work:
    n_walkers = count_walkers(asked)
    n_segments = asked.n_iterations * n_walkers
    per_segment = round(asked.segment_length_fs / asked.frame_interval_fs)
    n_frames = n_segments * per_segment
    n_bytes = n_frames * frame_bytes + n_segments * (end_bytes + _SEGMENT_IN_WEST)
    ns = n_segments * asked.segment_length_fs / FS_PER_PS / _PS_PER_NS
    return Work(
        stage, MD, n_segments, "segments", None, n_walkers, ns, n_frames, n_bytes,
        n_particles,
    )  # fmt: skip


def count_walkers(asked: WEConfig) -> int:
    """Return the walkers of an iteration in which every bin is occupied."""
    return asked.walkers_per_bin * asked.bins.n_bins
