"""What it brings to step many copies of an all-atom system in one OpenMM Context.

Alanine dipeptide and chignolin in OBC2. Copies stand on a grid, farther apart than a
cutoff that holds each of them whole, so the forces within a copy are the exact ones.
Replica-steps per second of a Context of R copies beside one of a single copy, one
thread, the same platform; then beside what `platform: auto` takes for a single copy.
The last line is one JSON object.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

SYSTEMS: dict[str, dict[str, Any]] = {
    "alanine": {"sequence": "A", "caps": True},
    "chignolin": {"fold": "chignolin"},
}
COPIES = (1, 2, 4, 8, 16, 32)
CUTOFF_NM = 4.0
SPACING_NM = 10.0


def main() -> None:
    """Measure both systems, print a table, then the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="within two minutes")
    parser.add_argument("--platform", default="CPU")
    asked = parser.parse_args()
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    print(f"{os.cpu_count()} cores, load before: {load}; platform {asked.platform}")
    seconds, repeats = (1.0, 3) if asked.quick else (3.0, 5)
    result: dict[str, float] = {}
    for name, system in SYSTEMS.items():
        with tempfile.TemporaryDirectory() as folder:
            single, positions = prepare(system, Path(folder) / "system")
        rates = {}
        for n in COPIES[: 5 if asked.quick else None]:
            context = pack(single, positions, n, asked.platform)
            rates[n] = n * measure(context, seconds, repeats)
            print(f"  {name}, {n:2d} copies: {rates[n]:8,.0f} replica-steps/s")
        auto = measure(start(single, positions, "auto"), seconds, repeats)
        best = max(rates, key=lambda n: rates[n])
        print(f"  {name}, one copy on `platform: auto`: {auto:8,.0f} steps/s")
        result |= {
            f"{name}_best_copies": best,
            f"{name}_gain": round(rates[best] / rates[1], 2),
            f"{name}_gain_over_auto": round(rates[best] / auto, 2),
        }
    print(json.dumps(result))


def prepare(system: dict[str, Any], out: Path) -> tuple[Any, Any]:
    """Return the OpenMM System of one copy, and its positions in nm."""
    import numpy as np
    import openmm

    from apps.science.systems.config import SystemConfig
    from apps.science.systems.prepare import prepare_system

    prepare_system(SystemConfig(solvent="obc2", equilibration_ps=1, **system), 5, out)
    with np.load(out / "starts.npz") as starts:
        positions = starts["positions"][0] / 10
    return openmm.XmlSerializer.deserialize((out / "system.xml").read_text()), positions


def pack(single: Any, positions: Any, n: int, platform: str) -> Any:
    """Return a Context of ``n`` copies of a System."""
    import numpy as np

    side = int(np.ceil(n ** (1 / 3)))
    places = np.array(list(np.ndindex(side, side, side))[:n]) * SPACING_NM
    together = np.concatenate([positions + place for place in places])
    return start(copy_system(single, n), together, platform)


TERMS = {
    "HarmonicBondForce": ("Bond", 2),
    "HarmonicAngleForce": ("Angle", 3),
    "PeriodicTorsionForce": ("Torsion", 4),
}
"""What a force calls its terms, and the atoms of each."""


def copy_system(single: Any, n: int) -> Any:
    """Return a System with ``n`` times the particles, constraints and forces."""
    import openmm

    packed, size = openmm.System(), single.getNumParticles()
    for first in range(0, n * size, size):
        for i in range(size):
            packed.addParticle(single.getParticleMass(i))
        for c in range(single.getNumConstraints()):
            i, j, length = single.getConstraintParameters(c)
            packed.addConstraint(i + first, j + first, length)
    for force in single.getForces():
        if force.getName() in TERMS:
            packed.addForce(copy_terms(force, n, size))
        elif force.getName() in {"NonbondedForce", "GBSAOBCForce"}:
            packed.addForce(copy_pairs(force, n, size))
        elif force.getName() != "CMMotionRemover":
            raise SystemExit(f"{force.getName()} is not copied; use OBC2 without salt.")
    return packed


def copy_terms(force: Any, n: int, size: int) -> Any:
    """Return bonds, angles or torsions of ``n`` copies of ``size`` particles."""
    new = type(force)()
    term, n_atoms = TERMS[force.getName()]
    for first in range(0, n * size, size):
        for t in range(getattr(force, f"getNum{term}s")()):
            given = getattr(force, f"get{term}Parameters")(t)
            atoms = [i + first for i in given[:n_atoms]]
            getattr(new, f"add{term}")(*atoms, *given[n_atoms:])
    return new


def copy_pairs(force: Any, n: int, size: int) -> Any:
    """Return what acts between all pairs of a copy, for ``n`` copies."""
    new = type(force)()
    for _ in range(n):
        for i in range(size):
            new.addParticle(*force.getParticleParameters(i))
    new.setNonbondedMethod(type(force).CutoffNonPeriodic)
    new.setCutoffDistance(CUTOFF_NM)
    if force.getName() == "GBSAOBCForce":
        new.setSolventDielectric(force.getSolventDielectric())
        new.setSoluteDielectric(force.getSoluteDielectric())
        return new
    new.setReactionFieldDielectric(1.0)  # no force from beyond the cutoff
    for first in range(0, n * size, size):
        for e in range(force.getNumExceptions()):
            i, j, *given = force.getExceptionParameters(e)
            new.addException(i + first, j + first, *given)
    return new


def start(system: Any, positions: Any, platform: str) -> Any:
    """Return a Context of a System, warm."""
    from openmm import unit

    from apps.science.systems.engine import make_context, make_integrator

    integrator = make_integrator(300.0, 1.0, 2.0, 5)
    context = make_context(system, integrator, platform, "mixed")
    context.setPositions(positions * unit.nanometer)
    context.setVelocitiesToTemperature(300.0, 7)
    context.getIntegrator().step(20)
    return context


def measure(context: Any, seconds: float, repeats: int) -> float:
    """Return steps per second, the median over repeats."""
    integrator = context.getIntegrator()
    rates = []
    for _ in range(repeats):
        n_steps, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            integrator.step(10)
            n_steps += 10
        rates.append(n_steps / (time.perf_counter() - began))
    return statistics.median(rates)


if __name__ == "__main__":
    main()
