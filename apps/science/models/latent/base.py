"""What a model with a latent space is: data to a few numbers with a spread, and back.

A plug-in is one file in this folder with a ``Config`` (its ``kind`` is the file's
stem) and ``build(config)``, which returns an untrained ``network.Latent``.
"""

from typing import Final

from apps.science.config_base import StrictConfig

PACKAGE: Final = "apps.science.models.latent"


class LatentConfig(StrictConfig):
    """Base of the settings; plain values, which go into checkpoints."""

    kind: str
