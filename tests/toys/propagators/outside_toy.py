"""weft's toy as a kind from outside, which workers find in the run's copy."""

from typing import Literal

from apps.science.propagators import toy

Propagator = toy.Propagator


class Config(toy.Config):
    kind: Literal["outside_toy"] = "outside_toy"  # type: ignore[assignment]
