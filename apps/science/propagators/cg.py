"""Coarse-grained Langevin dynamics of packed replicas under a prior and a model.

On a CPU the whole segment runs in compiled code, replica by replica, so that results
are the same to the last bit however segments are packed into blocks; on a GPU, and
with ``inference: exact``, replicas advance as one torch tensor.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal, cast

import numpy as np
from pydantic import Field

from apps.science.arrays import Array
from apps.science.device import choose_device
from apps.science.errors import ConfigError, ShapeMismatchError
from apps.science.propagators.base import Frames, PropagatorConfig, States
from apps.science.units import FS_PER_PS

if TYPE_CHECKING:
    from apps.science.cg.fast.dynamics import FastForceField
    from apps.science.propagators._packed import (
        ComputesForces,
        LangevinSettings,
        Trajectories,
    )

Inference = Literal["auto", "exact", "tabulated"]

UNTUNED_BLOCK: Final = 256
"""Replicas advanced together where nothing was measured."""


class Config(PropagatorConfig):
    """Settings of coarse-grained dynamics."""

    blocks_per_worker: ClassVar[int] = 1
    moves: ClassVar[Literal["atoms", "beads", "points"]] = "beads"
    kind: Literal["cg"] = "cg"
    mapping: str = Field(description="Path of mapping.json.")
    prior: str = Field(description="Path of prior.yaml.")
    checkpoint: str | None = Field(
        None, description="Path of the model's checkpoint; the prior alone if absent."
    )
    temperature_kelvin: float = Field(300.0, gt=0, description="Bath temperature.")
    friction_per_ps: float = Field(1.0, gt=0, description="Langevin friction.")
    timestep_fs: float = Field(4.0, gt=0, le=20, description="Integration time step.")
    dynamics: Literal["langevin", "overdamped"] = Field(
        "langevin",
        description="With inertia (BAOAB), or without: BAOAB's limit of high friction.",
    )
    inference: Inference = Field(
        "auto",
        description="exact: the model as trained; tabulated: its filters from tables, "
        "forces within 1e-4 of it, many times faster; auto: tabulated where the model "
        "allows (SchNet-type), else exact.",
    )
    max_bond_angstrom: float = Field(
        8.0, gt=0, description="A replica with a longer bond has failed."
    )
    max_replicas: Annotated[int, Field(gt=0)] | Literal["auto"] = Field(
        "auto",
        description="Replicas advanced together; larger blocks are split. auto: what "
        "weft tune found for this model on this device, else 256.",
    )
    device: str = Field("auto", description="cpu, cuda, cuda:0 ..., or auto.")

    @property
    def tau_ps(self) -> float:
        """Length of a segment, ps."""
        return self.n_steps * self.timestep_fs / FS_PER_PS


class Propagator:
    """Advances blocks of segments as one packed state (n_segments, n_beads, 3)."""

    def __init__(
        self, config: Config, force_field: "ComputesForces | None" = None
    ) -> None:
        """Read the force field; ``force_field`` replaces the one of the files.

        One that is not a ``cg.force_field.ForceField`` is run as it is.
        """
        self.config = config
        self.device = choose_device(config.device)
        if force_field is None:
            from apps.science.cg.force_field import load_force_field

            checkpoint = None if config.checkpoint is None else Path(config.checkpoint)
            force_field = load_force_field(
                Path(config.prior), Path(config.mapping), checkpoint, self.device
            )
        self.force_field = choose_inference(force_field, config.inference, self.device)
        self.block = self._choose_block()

    def _choose_block(self) -> int:
        c = self.config
        if c.max_replicas != "auto":
            return c.max_replicas
        if hasattr(self.force_field, "run") or c.checkpoint is None:
            return UNTUNED_BLOCK  # compiled replicas run one by one in any case
        from apps.science.cg.simulation.block_size import (
            hash_model,
            name_device,
            read_block,
        )

        tabulated = hasattr(self.force_field, "graph_safe")
        found = read_block(
            name_device(self.device), hash_model(Path(c.checkpoint)),
            self.force_field.n_beads, "tabulated" if tabulated else "exact",
        )  # fmt: skip
        return found or UNTUNED_BLOCK

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
        size = self.block
        parts = [
            self.advance(states.take(rows), [seeds[r] for r in rows])
            for rows in (
                range(i, min(i + size, n_segments)) for i in range(0, n_segments, size)
            )
        ]

        def join(name: str) -> np.ndarray:
            return np.concatenate([getattr(p, name).numpy() for p in parts])

        final = States(join("final_positions"), join("final_velocities"))
        return Frames(join("positions"), join("forces"), final, join("failed"))

    def advance(
        self,
        states: States,
        seeds: Sequence[int],
        temperatures_kelvin: Array | None = None,
    ) -> "Trajectories":
        """Advance all states together, each at its own temperature if any are given.

        Parameters
        ----------
        temperatures_kelvin : (n_segments,), in place of the one of the settings
        """
        import torch

        from apps.science.propagators import _packed

        settings = make_settings(self.config)
        centred = states.positions - states.positions.mean(axis=1, keepdims=True)
        if hasattr(self.force_field, "run"):
            fast = cast("FastForceField", self.force_field)
            return fast.run(
                centred, states.velocities, np.array(seeds), settings,
                temperatures_kelvin,
            )  # fmt: skip

        def load(values: Array) -> torch.Tensor:
            return torch.tensor(values, dtype=torch.float32, device=self.device)

        return _packed.run_packed(
            self.force_field,
            load(centred),
            load(states.velocities),
            torch.tensor(list(seeds), dtype=torch.int64, device=self.device),
            settings,
            temperatures_kelvin,
        )


def make_settings(config: Config) -> "LangevinSettings":
    """Return what the integrators take.

    Without inertia, BAOAB forgets every velocity, and its inner time step is such that
    a force moves a bead by h F / (m gamma): the scheme of Leimkuhler and Matthews
    (2013), whose averages are exact for harmonic forces.
    """
    from apps.science.propagators._packed import LangevinSettings

    timestep_ps, friction = config.timestep_fs / FS_PER_PS, config.friction_per_ps
    if config.dynamics == "overdamped":
        timestep_ps, friction = math.sqrt(2.0 * timestep_ps / friction), math.inf
    return LangevinSettings(
        temperature_kelvin=config.temperature_kelvin,
        friction_per_ps=friction,
        timestep_ps=timestep_ps,
        n_steps=config.n_steps,
        n_steps_per_frame=config.n_steps_per_frame,
        max_bond_angstrom=config.max_bond_angstrom,
    )


def choose_inference(
    force_field: "ComputesForces", inference: Inference, device: str
) -> "ComputesForces":
    """Return the force field in the form that runs fastest on ``device``.

    What is not a prior with or without a network comes back as it is.

    Raises
    ------
    ConfigError
        If tables are asked for and the model has no filters to tabulate.
    """
    from apps.science.cg.fast.network_arrays import can_tabulate
    from apps.science.cg.force_field import ForceField

    if inference == "exact" or not isinstance(force_field, ForceField):
        return force_field
    if force_field.network is not None and not can_tabulate(force_field.network):
        if inference == "tabulated":
            raise ConfigError(
                "inference is tabulated, but this model's interactions depend on more "
                "than a distance. Use inference: auto or exact."
            )
        return force_field
    if device == "cpu":
        from apps.science.cg.fast.dynamics import FastForceField, can_run

        if can_run(force_field):
            return FastForceField(force_field)
    if force_field.network is None:
        return force_field
    from apps.science.cg.fast.tabulated import TabulatedForceField

    return TabulatedForceField(force_field, device)
