"""OpenMM platforms and integrators, set up to give the same bits on every run."""

from typing import Any

from apps.science.errors import ConfigError

CONSTRAINT_TOLERANCE = 1e-6


_SMALL = 60
"""Up to this many particles the CPU platform's thread hand-overs cost more than the
forces; measured for alanine dipeptide in OBC2: Reference 35, CPU 800 us a step."""


def find_platform(
    name: str, precision: str = "mixed", system: Any = None
) -> tuple[Any, dict[str, str]]:
    """Return an OpenMM platform and its properties; "auto" takes the fastest.

    One thread on the CPU: workers share the cores, and two threads on a busy core
    were measured up to 100 times slower than one.
    """
    import openmm

    platforms = [
        openmm.Platform.getPlatform(i) for i in range(openmm.Platform.getNumPlatforms())
    ]
    by_name = {platform.getName(): platform for platform in platforms}
    if name == "auto":
        platform = max(platforms, key=lambda p: float(p.getSpeed()))
        if platform.getName() == "CPU" and system is not None and _is_small(system):
            platform = by_name["Reference"]
    elif name in by_name:
        platform = by_name[name]
    else:
        raise ConfigError(
            f"OpenMM has no platform {name!r} here: found {', '.join(by_name)}. "
            "Choose one of them, or auto."
        )
    known = set(platform.getPropertyNames())
    wanted = {"Threads": "1", "DeterministicForces": "true", "Precision": precision}
    return platform, {key: value for key, value in wanted.items() if key in known}


def _is_small(system: Any) -> bool:
    # Interpreted forces are slow on the Reference platform at any size.
    names = [force.getName() for force in system.getForces()]
    interpreted = any(name.startswith("Custom") for name in names)
    return system.getNumParticles() <= _SMALL and not interpreted


def make_integrator(
    temperature_kelvin: float, friction_per_ps: float, timestep_fs: float, seed: int
) -> Any:
    """Return a LangevinMiddleIntegrator; ``seed`` is 1 to 2^31 - 1."""
    import openmm
    from openmm import unit

    integrator = openmm.LangevinMiddleIntegrator(
        temperature_kelvin * unit.kelvin,
        friction_per_ps / unit.picosecond,
        timestep_fs * unit.femtosecond,
    )
    integrator.setConstraintTolerance(CONSTRAINT_TOLERANCE)
    integrator.setRandomNumberSeed(seed)
    return integrator


def make_context(system: Any, integrator: Any, name: str, precision: str) -> Any:
    """Return a Context; where "auto" finds a GPU that does not answer, the CPU's.

    Raises
    ------
    ConfigError
        If a platform asked for by name cannot start.
    """
    import openmm

    platform, properties = find_platform(name, precision, system)
    spare = openmm.XmlSerializer.clone(integrator)
    try:
        return openmm.Context(system, integrator, platform, properties)
    except openmm.OpenMMException as error:
        if name == "auto" and platform.getName() != "CPU":
            platform, properties = find_platform("CPU")
            return openmm.Context(system, spare, platform, properties)
        raise ConfigError(
            f"OpenMM platform {platform.getName()} cannot start: {error}. "
            "Choose platform CPU, or mend the driver."
        ) from None
