"""How models are drawn: the two usual ones have a look of their own."""

from collections.abc import Sequence
from typing import Any, Final

from campaign.report.kit import style

_KNOWN: Final = {
    "reference": style.BASELINE, "weighted": style.FIRST, "unweighted": style.SECOND,
}  # fmt: skip
_DASHES: Final[dict[str, Any]] = {"weighted": "-", "unweighted": (0, (5, 2))}


def choose_colours(models: Sequence[str]) -> dict[str, str]:
    """Return a colour for each model, and that of the reference."""
    others = [name for name in models if name not in _KNOWN]
    wheel = style.OTHERS
    return _KNOWN | {name: wheel[k % len(wheel)] for k, name in enumerate(others)}


def model_dashes(name: str) -> Any:
    """Return the line style of a model, so that colour is not the only mark."""
    return _DASHES.get(name, "-.")
