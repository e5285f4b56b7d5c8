"""What a model is: bead types and positions in, one energy per replica out.

A plug-in is one file in this folder with a ``Config`` (its ``kind`` is the file's
stem) and ``build(config)``, which returns an untrained ``Network``. Networks are
dense: every replica has the same beads, so positions are (n_replicas, n_beads, 3).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from apps.science import plugins
from apps.science.cg.mapping.beads import N_EMBEDDINGS
from apps.science.config_base import StrictConfig

if TYPE_CHECKING:
    from apps.science.models.potentials.network import Network

PACKAGE = "apps.science.models.potentials"


class ModelConfig(StrictConfig):
    """Base of every model's settings."""

    of_one_size: ClassVar[bool] = False
    """Whether a network is for so many beads and no other number."""
    meant_by_absence: ClassVar[Mapping[str, Any]] = {}
    """What files of before a setting came mean, where that is not its default."""

    kind: str
    max_embedding: int = Field(
        N_EMBEDDINGS, gt=0, description="Rows of the bead embedding table."
    )


def read_config(fields: dict[str, Any]) -> ModelConfig:
    """Return the settings of the kind that ``fields`` names.

    Raises
    ------
    UnknownKindError
        If no such model exists.
    """
    module = plugins.load_kind(PACKAGE, str(fields.get("kind")))
    config: ModelConfig = module.Config(**fields)
    return config


def complete_settings(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a written file has, with those that came later.

    Raises
    ------
    UnknownKindError
        If no such model exists.
    """
    module = plugins.load_kind(PACKAGE, str(fields.get("kind")))
    return {**module.Config.meant_by_absence, **fields}


def describe_briefly(config: ModelConfig) -> dict[str, Any]:
    """Return the settings, without those that a file means which leaves them out."""
    meant = config.meant_by_absence
    body = config.model_dump(mode="json", exclude=set(meant), exclude_defaults=True)
    later = {key: getattr(config, key) for key in meant}
    return body | {key: value for key, value in later.items() if value != meant[key]}


def build_network(config: ModelConfig) -> "Network":
    """Return an untrained network of this kind; torch's seed decides its weights."""
    module = plugins.load_kind(PACKAGE, config.kind)
    network: Network = module.build(config)
    return network
