"""The one pydantic base of every configuration: frozen, unknown keys refused."""

from pydantic import BaseModel, ConfigDict


class StrictConfig(BaseModel):
    """Frozen settings; an unknown key is an error, defaults are validated."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, protected_namespaces=()
    )
