"""The one pydantic base of every configuration: frozen, unknown keys refused."""

from functools import cache
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator


class StrictConfig(BaseModel):
    """Frozen settings; an unknown key is an error, defaults are validated.

    Numbers are finite, and true and false are no numbers: YAML reads yes, no, on and
    off as those.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, protected_namespaces=(),
        allow_inf_nan=False,
    )  # fmt: skip

    @field_validator("*", mode="before")
    @classmethod
    def _truth_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        name = info.field_name or ""
        if name in _number_fields(cls) and _holds_truth(value):
            raise ValueError(
                "expected a number, but YAML reads what stands here (yes, no, on, "
                f"off, true or false) as {str(value).lower()}. Write the number"
            )
        return value


@cache
def _number_fields(config: type[BaseModel]) -> frozenset[str]:
    """Return the fields that hold numbers, alone or in lists, and never a truth."""
    kinds = {name: _plain_types(f.annotation) for name, f in config.model_fields.items()}
    return frozenset(
        name for name, found in kinds.items()
        if found & {int, float} and bool not in found and Any not in found
    )  # fmt: skip


def _plain_types(annotation: Any) -> set[Any]:
    parts = get_args(annotation)
    return set().union(*map(_plain_types, parts)) if parts else {annotation}


def _holds_truth(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_holds_truth, value))
    return isinstance(value, bool)
