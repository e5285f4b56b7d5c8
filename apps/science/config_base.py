"""The one pydantic base of every configuration: frozen, unknown keys refused."""

import re
from functools import cache
from typing import Annotated, Any, Final, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator


class StrictConfig(BaseModel):
    """Frozen settings; an unknown key is an error, defaults are validated.

    Numbers are finite, and true and false are no numbers: YAML reads yes, no, on and
    off as those.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, protected_namespaces=(),
        allow_inf_nan=False,
    )  # fmt: skip

    @model_validator(mode="before")
    @classmethod
    def _truth_is_no_number(cls, data: Any) -> Any:
        """Hand a truth on as its word where a number belongs: it is refused there."""
        if not isinstance(data, dict):
            return data
        numbers = _number_fields(cls)
        return {
            key: _spell_truth(value) if key in numbers else value
            for key, value in data.items()
        }


@cache
def _number_fields(config: type[BaseModel]) -> frozenset[str]:
    """Return the fields that hold numbers, alone or in lists, and never a truth."""
    kinds = {
        name: _plain_types(field.annotation)
        for name, field in config.model_fields.items()
    }
    return frozenset(
        name
        for name, found in kinds.items()
        if found & {int, float} and not found & {bool, Any, object}
    )


def _plain_types(annotation: Any) -> set[Any]:
    parts = get_args(annotation)
    if not parts:
        return {annotation} if isinstance(annotation, type) else {type(annotation)}
    return set[Any]().union(*map(_plain_types, parts))


def _spell_truth(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_spell_truth(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else value


_DEVICE: Final = re.compile(r"auto|cpu|mps|(cuda|xpu)(:\d{1,3})?")
_PLATFORMS: Final = ("auto", "Reference", "CPU", "CUDA", "OpenCL", "HIP", "Metal")


def _check_device(name: str) -> str:
    if not _DEVICE.fullmatch(name):
        raise ValueError(
            f"there is no device {name!r}. Write auto, cpu, cuda, or cuda:0 for one of "
            "several"
        )
    return name


def _check_platform(name: str) -> str:
    if name not in _PLATFORMS:
        raise ValueError(
            f"OpenMM has no platform {name!r}. Write one of {', '.join(_PLATFORMS)}"
        )
    return name


DeviceName = Annotated[str, AfterValidator(_check_device)]
"""Where torch computes; whether it is there, the worker finds out."""
PlatformName = Annotated[str, AfterValidator(_check_platform)]
"""With what OpenMM computes."""
