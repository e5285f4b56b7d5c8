"""How many replicas to advance together: measured, and kept per device and model."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from apps.science.files import write_json

LEAST_GAIN: Final = 0.05
"""Doubling stops where throughput rises by less, and the smallest block is taken
whose throughput is within this of the best."""

MEMORY_SHARE: Final = 0.8
"""Of a GPU's memory, beyond which no larger block is tried."""


@dataclass(frozen=True)
class Timing:
    """One point of the curve.

    Attributes
    ----------
    block : replicas advanced together
    seconds : of a segment of the whole block
    replica_steps_per_s : all replicas together
    """

    block: int
    seconds: float
    replica_steps_per_s: float


@dataclass(frozen=True)
class Tuning:
    """A curve and the block chosen from it."""

    device: str
    model: str
    n_beads: int
    n_steps: int
    inference: str
    timings: list[Timing]
    block: int


def measure_blocks(
    run: Callable[[int], None],
    n_steps: int,
    largest: int,
    patient: bool = False,
    n_repeats: int = 3,
    memory_share: Callable[[], float] = lambda: 0.0,
) -> Iterator[Timing]:
    """Yield timings of blocks 1, 2, 4, ... as they are made.

    Parameters
    ----------
    run : runs a segment of ``n_steps`` with so many replicas, and waits for the end
    patient : go on to ``largest`` though the gain is small, for the whole curve
    memory_share : of the device's memory, used at most so far
    """
    best, block = 0.0, 1
    while block <= largest:
        run(block)  # what is made once is not timed
        seconds = min(_time(run, block) for _ in range(n_repeats))
        rate = block * n_steps / seconds
        yield Timing(block, seconds, rate)
        # a bound on two doublings, since one alone may be noise
        small = block > 2 and rate < best * (1.0 + LEAST_GAIN)
        if (small and not patient) or memory_share() > MEMORY_SHARE:
            return
        best, block = max(best, rate), 2 * block


def choose_block(timings: list[Timing]) -> int:
    """Return the smallest block whose throughput is within 5 % of the best."""
    best = max(t.replica_steps_per_s for t in timings)
    good = [
        t.block for t in timings if t.replica_steps_per_s >= best * (1 - LEAST_GAIN)
    ]
    return min(good)


def _time(run: Callable[[int], None], block: int) -> float:
    began = time.perf_counter()
    run(block)
    return time.perf_counter() - began


def name_device(device: str) -> str:
    """Return the name of the GPU or of the processor, with its threads."""
    import torch

    if device.startswith("cuda"):
        return str(torch.cuda.get_device_name(device))
    return f"{_processor()}, {torch.get_num_threads()} thread(s)"


def _processor() -> str:
    import platform

    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def hash_model(checkpoint: Path | None, prior: Path | None = None) -> str:
    """Return a hash of what a segment's cost depends on, and more."""
    digest = hashlib.sha256()
    for path in (checkpoint, prior):
        digest.update(b"-" if path is None else path.read_bytes())
    return digest.hexdigest()[:16]


def cache_file() -> Path:
    """Return where tunings are kept, $XDG_CACHE_HOME/weft/blocks.json."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "weft" / "blocks.json"


def keep_tuning(tuning: Tuning) -> Path:
    """Add a tuning to the cache, in place of an older one of the same case."""
    path = cache_file()
    kept = _read(path)
    key = _key(tuning.device, tuning.model, tuning.n_beads, tuning.inference)
    kept[key] = asdict(tuning)
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_json(path, kept)


def read_block(device: str, model: str, n_beads: int, inference: str) -> int | None:
    """Return the tuned block size of a model on a device, if it was tuned there."""
    found = _read(cache_file()).get(_key(device, model, n_beads, inference))
    return None if found is None else int(found["block"])


def _key(device: str, model: str, n_beads: int, inference: str) -> str:
    return f"{device}|{model}|{n_beads}|{inference}"


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
