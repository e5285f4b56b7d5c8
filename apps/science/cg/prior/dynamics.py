"""Prior-only Langevin dynamics of many replicas in OpenMM, for the stability gate.

All replicas are one OpenMM system of molecules that do not see each other, so a step
costs microseconds where the packed torch code, which has a network to feed, costs
hundreds. The terms are written from the same numbers; a test compares the forces.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from apps.science.arrays import Array
from apps.science.cg.mapping.mapping import Mapping
from apps.science.cg.prior.terms import (
    AngleTerm,
    BondTerm,
    DihedralTerm,
    Prior,
    RepulsionTerm,
)
from apps.science.errors import NumericalError
from apps.science.units import ANGSTROM_PER_NM, FS_PER_PS, KCAL_PER_KJ

_KJ: Final = 1.0 / KCAL_PER_KJ


class PriorDynamics:
    """Replicas of one molecule under the prior alone.

    Parameters
    ----------
    positions : (n_replicas, n_beads, 3), Angstrom, where to start
    seed : of velocities and noise, above zero and below 2^31
    """

    def __init__(
        self,
        prior: Prior,
        mapping: Mapping,
        positions: Array,
        temperature_kelvin: float,
        friction_per_ps: float,
        timestep_fs: float,
        seed: int,
    ) -> None:
        import openmm

        self._shape = positions.shape
        system = build_system(prior, mapping, len(positions))
        self._integrator = openmm.LangevinMiddleIntegrator(
            temperature_kelvin, friction_per_ps, timestep_fs / FS_PER_PS
        )
        self._integrator.setRandomNumberSeed(seed)
        platform = openmm.Platform.getPlatformByName("Reference")
        self._context = openmm.Context(system, self._integrator, platform)
        self._context.setPositions(positions.reshape(-1, 3) / ANGSTROM_PER_NM)
        self._context.setVelocitiesToTemperature(temperature_kelvin, seed)

    def run(self, n_steps: int, n_steps_per_frame: int) -> Iterator[Array]:
        """Yield positions (n_replicas, n_beads, 3), Angstrom, as the steps are made.

        Raises
        ------
        NumericalError
            If positions stop being finite.
        """
        import openmm

        for done in range(0, n_steps, n_steps_per_frame):
            try:
                self._integrator.step(min(n_steps_per_frame, n_steps - done))
                state = self._context.getState(positions=True)
            except openmm.OpenMMException:
                raise NumericalError(_say_nan(done)) from None
            positions = np.asarray(state.getPositions(asNumpy=True)._value)
            if not np.isfinite(positions).all():
                raise NumericalError(_say_nan(done))
            yield positions.reshape(self._shape) * ANGSTROM_PER_NM


def _say_nan(n_steps: int) -> str:
    return (
        f"Prior-only dynamics gave NaN after {n_steps} steps. A dihedral of nearly "
        "straight beads or a too stiff term does this: check prior.yaml, add the "
        "angles term, or set prior.gate_timestep_fs lower."
    )


def build_system(prior: Prior, mapping: Mapping, n_replicas: int) -> Any:
    """Return replicas that do not see each other, one after the other, as a System."""
    import openmm

    system = openmm.System()
    for _ in range(n_replicas):
        for mass in mapping.masses_amu:
            system.addParticle(mass)
    for term in prior.terms.values():
        force = _build_force(term, mapping, n_replicas)
        system.addForce(force)
    return system


def _build_force(
    term: BondTerm | AngleTerm | DihedralTerm | RepulsionTerm,
    mapping: Mapping,
    n_replicas: int,
) -> Any:
    import openmm

    # every call names its beads in the first replica; the shift makes the others
    calls: list[tuple[tuple[int, ...], tuple[Any, ...]]]
    match term:
        case BondTerm():
            force, add = (f := openmm.HarmonicBondForce()), f.addBond
            # ours has no half; per Angstrom^2 to per nm^2
            stiff = (2.0 * _KJ * ANGSTROM_PER_NM**2 * term.k).tolist()
            lengths = (term.r0 / ANGSTROM_PER_NM).tolist()
            numbers = zip(lengths, stiff, strict=True)
            calls = list(zip(mapping.bonds, numbers, strict=True))
        case AngleTerm():
            force, add = (f := openmm.HarmonicAngleForce()), f.addAngle
            stiff = (2.0 * _KJ * term.k).tolist()
            numbers = zip(term.theta0.tolist(), stiff, strict=True)
            calls = list(zip(mapping.angles, numbers, strict=True))
        case DihedralTerm():
            force, add = (f := openmm.PeriodicTorsionForce()), f.addTorsion
            calls = [
                (beads, (int(n), phase, k * _KJ))
                for beads, *series in zip(
                    mapping.dihedrals, term.periodicity.tolist(), term.phase.tolist(),
                    term.k.tolist(), strict=True,
                )
                for n, phase, k in zip(*series, strict=True)
                if n > 0  # shorter series are padded with zeros
            ]  # fmt: skip
        case RepulsionTerm():
            force = openmm.CustomBondForce("strength/r^6")
            force.addPerBondParameter("strength")
            add = force.addBond
            strength = (term.strength * _KJ / ANGSTROM_PER_NM**6).triu().numpy()
            calls = [
                ((int(i), int(j)), ([float(strength[i, j])],))
                for i, j in np.argwhere(strength > 0)
            ]
    for replica in range(n_replicas):
        shift = replica * mapping.n_beads
        for beads, arguments in calls:
            add(*(bead + shift for bead in beads), *arguments)
    return force
