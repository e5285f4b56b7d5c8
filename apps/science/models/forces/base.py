"""What a model of forces is: particles in, their forces out, and no energy.

A plug-in is one file in this folder with a ``Config`` (its ``kind`` is the file's
stem) and ``build(config)``, which returns an untrained ``network.Forces``.
"""

from typing import Final

from pydantic import Field

from apps.science.config_base import StrictConfig

PACKAGE: Final = "apps.science.models.forces"


class ForcesConfig(StrictConfig):
    """Base of the settings; plain values, which go into checkpoints."""

    kind: str
    cutoff_angstrom: float = Field(
        gt=0, description="Particles farther apart do not see each other."
    )
