"""What a flow is: an invertible map of numbers, and by how much it stretches space.

A plug-in is one file in this folder with a ``Config`` (its ``kind`` is the file's
stem) and ``build(config)``, which returns an untrained ``network.Flow``.
"""

from typing import Final

from apps.science.config_base import StrictConfig

PACKAGE: Final = "apps.science.models.flows"


class FlowConfig(StrictConfig):
    """Base of every flow's settings; plain values, which go into checkpoints."""

    kind: str
