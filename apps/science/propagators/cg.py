"""Coarse-grained Langevin dynamics of packed replicas under a prior and a model."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from apps.science.arrays import Array
from apps.science.errors import ConfigError, ShapeMismatchError
from apps.science.propagators.base import Frames, PropagatorConfig, States
from apps.science.units import FS_PER_PS

if TYPE_CHECKING:
    from apps.science.propagators._packed import ComputesForces, Trajectories


class Config(PropagatorConfig):
    """Settings of coarse-grained dynamics."""

    blocks_per_worker: ClassVar[int] = 1
    kind: Literal["cg"] = "cg"
    mapping: str = Field(description="Path of mapping.json.")
    prior: str = Field(description="Path of prior.yaml.")
    checkpoint: str | None = Field(
        None, description="Path of the model's checkpoint; the prior alone if absent."
    )
    temperature_kelvin: float = Field(300.0, gt=0, description="Bath temperature.")
    friction_per_ps: float = Field(1.0, gt=0, description="Langevin friction.")
    timestep_fs: float = Field(4.0, gt=0, le=20, description="Integration time step.")
    max_bond_angstrom: float = Field(
        8.0, gt=0, description="A replica with a longer bond has failed."
    )
    max_replicas: int = Field(
        256, gt=0, description="Replicas advanced together; larger blocks are split."
    )
    device: str = Field("auto", description="cpu, cuda, cuda:0 ..., or auto.")

    @property
    def tau_ps(self) -> float:
        """Length of a segment, ps."""
        return self.n_steps * self.timestep_fs / FS_PER_PS


def choose_device(name: str) -> str:
    """Return a torch device name; ``auto`` is cuda where there is one.

    Raises
    ------
    ConfigError
        If CUDA is asked for and absent.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(
            f"device is {name!r} but torch sees no CUDA device on this host. Use "
            "device: auto, or a site whose md role has a GPU."
        )
    return name


class Propagator:
    """Advances blocks of segments as one packed state (n_segments, n_beads, 3)."""

    def __init__(
        self, config: Config, force_field: "ComputesForces | None" = None
    ) -> None:
        """Read the force field; ``force_field`` replaces the one of the files."""
        self.config = config
        self.device = choose_device(config.device)
        if force_field is None:
            from apps.science.cg.force_field import load_force_field

            checkpoint = None if config.checkpoint is None else Path(config.checkpoint)
            force_field = load_force_field(
                Path(config.prior), Path(config.mapping), checkpoint, self.device
            )
        self.force_field = force_field

    def recorded(self, states: States) -> Array:
        """Return the bead positions (n_segments, n_beads, 3), Angstrom."""
        return np.asarray(states.positions)

    def propagate(self, states: States, seeds: Sequence[int]) -> Frames:
        """Advance every segment by ``n_steps``; forces are of the whole force field.

        Each replica is first moved so that its centroid is the origin: it diffuses
        without bound, and single precision is finest near zero.

        Raises
        ------
        ShapeMismatchError
            If the states have another number of beads, or seeds another number.
        """
        n_segments, n_beads = states.positions.shape[:2]
        if n_beads != self.force_field.n_beads or len(seeds) != n_segments:
            raise ShapeMismatchError(
                f"Got {n_segments} states of {n_beads} beads with {len(seeds)} seeds; "
                f"expected {self.force_field.n_beads} beads and one seed a state. "
                "Use starts made with the mapping of this model."
            )
        size = self.config.max_replicas
        parts = [
            self._run(states.take(rows), [seeds[r] for r in rows])
            for rows in (
                range(i, min(i + size, n_segments)) for i in range(0, n_segments, size)
            )
        ]

        def join(name: str) -> np.ndarray:
            return np.concatenate([getattr(p, name).numpy() for p in parts])

        final = States(join("final_positions"), join("final_velocities"))
        return Frames(join("positions"), join("forces"), final, join("failed"))

    def _run(self, states: States, seeds: Sequence[int]) -> "Trajectories":
        import torch

        from apps.science.propagators import _packed

        c = self.config
        settings = _packed.LangevinSettings(
            temperature_kelvin=c.temperature_kelvin,
            friction_per_ps=c.friction_per_ps,
            timestep_ps=c.timestep_fs / FS_PER_PS,
            n_steps=c.n_steps,
            n_steps_per_frame=c.n_steps_per_frame,
            max_bond_angstrom=c.max_bond_angstrom,
        )
        centred = states.positions - states.positions.mean(axis=1, keepdims=True)

        def load(values: Array) -> torch.Tensor:
            return torch.tensor(values, dtype=torch.float32, device=self.device)

        return _packed.run_packed(
            self.force_field,
            load(centred),
            load(states.velocities),
            torch.tensor(list(seeds), dtype=torch.int64, device=self.device),
            settings,
        )
