"""Measure a model's block sizes on this machine."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

from apps.science.cg.simulation.block_size import (
    Timing,
    Tuning,
    choose_block,
    hash_model,
    measure_blocks,
    name_device,
)
from apps.science.cg.simulation.model_starts import (
    find_checkpoint,
    find_starts,
    warm_up,
)
from apps.science.errors import ConfigError


def tune_model(
    model: Path,
    device: str,
    inference: str,
    n_steps: int,
    largest: int,
    patient: bool,
    protein: str | None = None,
    tell: Callable[[Timing], None] = lambda timing: None,
    prior: Path | None = None,
    psf: Path | None = None,
) -> Tuning:
    """Return the curve of a model and the block chosen from it.

    Parameters
    ----------
    model : a checkpoint, or a folder that holds one
    n_steps : of the segments that are timed
    patient : measure up to ``largest`` even where it gains nothing
    tell : is told each point as it is made
    prior, psf : of a checkpoint of torchmd-net, which holds neither

    Raises
    ------
    ConfigError
        If there is no such model, device or inference.
    """
    import torch

    from apps.science.cg.simulation.simulate import (
        Settings,
        build_propagator,
        load_model,
    )
    from apps.science.device import choose_device
    from apps.science.propagators.cg import Inference

    chosen = next((known for known in get_args(Inference) if known == inference), None)
    if chosen is None:
        raise ConfigError(
            f"No inference {inference!r}. It is auto, exact or tabulated."
        )
    where = choose_device(device)
    force_field = load_model(model, protein, where, prior, psf)
    settings = Settings(
        1, n_steps, n_steps_per_frame=n_steps, device=device, inference=chosen
    )
    propagator = build_propagator(force_field, settings, n_steps)
    mapping = force_field.mapping
    starts = find_starts(model, mapping, force_field.prior.tables, None, protein)
    states = warm_up(starts, mapping, propagator.config.temperature_kelvin, largest, 1)

    def run(block: int) -> None:
        propagator.advance(states.take(range(block)), range(block))

    def memory_share() -> float:
        if not where.startswith("cuda"):
            return 0.0
        return torch.cuda.max_memory_allocated() / torch.cuda.mem_get_info()[1]

    timings = []
    for timing in measure_blocks(
        run, n_steps, largest, patient, memory_share=memory_share
    ):
        timings.append(timing)
        tell(timing)
    exact = propagator.force_field is force_field
    return Tuning(
        name_device(where), hash_model(find_checkpoint(model)), mapping.n_beads,
        n_steps, "exact" if exact else "tabulated", timings, choose_block(timings),
    )  # fmt: skip
