"""What a campaign of given frames will do, and its miniature."""

from pathlib import Path
from typing import Any

import numpy as np

from apps.roles import ANALYSIS, MD
from apps.science.cg.dataset.own_frames_check import check_own_frames
from campaign.estimate.work import Work
from campaign.layout.protein_dir import ProteinDir
from campaign.stages.learning_config import LearningConfig
from campaign.stages.learning_work import list_learning, shrink_training

_POSITION = 12
_PS_PER_NS = 1000.0


def list_work(config: Any) -> list[Work]:
    """Return the stages of a campaign with what they do, at most.

    Raises
    ------
    WeftError
        If the frames cannot be read.
    """
    n_frames = len(np.load(config.system.positions, mmap_mode="r"))
    n_beads = check_own_frames(config.system, config.mapping).n_beads
    kept = n_frames * n_beads * 3 * _POSITION
    works = [Work("import", ANALYSIS, n_frames, "frames", 1, 1, n_bytes=kept)]
    works += list_learning(config, n_frames, n_beads, ProteinDir(Path()))
    return works + [_judge(config, v.name, n_beads) for v in config.variants]


def shrink(config: LearningConfig) -> dict[str, Any]:
    """Return settings that make a campaign of every stage in about a minute."""
    asked = config.model_dump(mode="json")
    lag, simulation = asked["tica"]["lag_ps"], asked["simulation"]
    shortest = max(20 * simulation["frame_interval_ps"], 4 * lag)
    return {
        "prior": {"gate_steps": min(500, config.prior.gate_steps)},
        "training": shrink_training(config),
        "simulation": {
            "length_ps": min(shortest, simulation["length_ps"]),
            "n_bootstrap": 20,
        },
    }


def _judge(config: Any, name: str, n_beads: int) -> Work:
    asked = config.simulation
    ps = asked.n_replicas * asked.length_ps
    n_frames = round(ps / asked.frame_interval_ps)
    return Work(
        f"benchmark_{name}", MD, ps, "ps", 1, 1, ps / _PS_PER_NS, n_frames,
        n_frames * n_beads * _POSITION,
    )  # fmt: skip
