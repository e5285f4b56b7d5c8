"""What only reading a structure can tell, before anything heavy runs."""

from apps.science.systems.config import SystemConfig
from apps.science.systems.taken import describe_taken, take_structure


def check_system(config: SystemConfig) -> dict[str, str]:
    """Check what only reading the structure can tell; runs nothing heavy.

    Returns
    -------
    what is simulated, headings and sentences

    Raises
    ------
    StructureError
        If the structure cannot be read, or holds what can neither be kept nor, by the
        settings, be left out (the message names it).
    """
    return describe_taken(take_structure(config), config)
