"""How long a segment takes on a worker, known before the first is propagated."""

import time
from dataclasses import replace
from pathlib import Path

from apps.science.seeds import derive_seed
from apps.science.we.spec import read_spec


def time_segment(spec_path: Path) -> float:
    """Return the seconds of one segment, from the time of its first frame."""
    spec = read_spec(spec_path)
    steps = spec.propagator["n_steps_per_frame"]
    short = replace(spec, propagator=spec.propagator | {"n_steps": steps})
    propagator, _ = short.build()
    state = short.start_states().take([0])
    seeds = [derive_seed(spec.seed, "pace")]
    propagator.propagate(state, seeds)  # the first call makes contexts and kernels
    began = time.perf_counter()
    propagator.propagate(state, seeds)
    return (time.perf_counter() - began) * spec.n_frames
