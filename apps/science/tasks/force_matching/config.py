"""How a force field is trained: what a person writes under ``training:``."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from apps.science.learning.config import Job, LoopConfig


class TrainingConfig(LoopConfig):
    """Force matching; the defaults suit sets of 10^3 to 10^5 frames."""

    weighted: bool = Field(
        True, description="Weigh frames by their WE weights; false treats all alike."
    )
    sampling: Literal["uniform", "weighted"] = Field(
        "uniform",
        description="Draw frames uniformly with weights in the loss, or draw them in "
        "proportion to their weights (recommended where ESS/N < 0.2).",
    )
    weight_exponent: float = Field(
        1.0, ge=0, le=1, description="Weights are raised to this power (tempering)."
    )
    weight_clip_quantile: float = Field(
        1.0, gt=0, le=1, description="Weights above this quantile are cut to it."
    )
    protein_balance: Literal["frames", "equal"] = Field(
        "frames",
        description="Where a set holds several proteins: each counts by its frames, "
        "or all count alike.",
    )
    mixed_batches: bool = Field(
        True,
        description="Batches mix the proteins; false takes each from one protein, "
        "which is faster where they are many.",
    )
    noise_angstrom: float = Field(
        0.0,
        ge=0,
        le=10,
        description="Learn from frames displaced by this much noise, with forces that "
        "also know the noise (Durumeric 2024); 0: none.",
    )
    noise_pairs: bool = Field(
        False,
        description="Displace each frame both ways: what is random in the noise's own "
        "force cancels, so that noise far below the width of a bond will do. Twice "
        "the work; validation is then without noise.",
    )
    noise_force_share: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Share of the frame's own force in what is learnt, the noise's "
        "has the rest; null: by their spreads, which suits noise without pairs.",
    )
    mixed_precision: bool = Field(
        False, description="Filter layers in bfloat16 while training."
    )


class TrainingJob(Job):
    """Force matching on a training set."""

    task: Literal["force_matching"] = "force_matching"
    dataset: Path = Field(description="dataset.h5.")
    prior: Path | None = Field(
        None, description="prior.yaml that the dataset must have been made with."
    )
    model: dict[str, Any] = Field(description="Settings of a model, with its kind.")
    training: TrainingConfig = Field(
        default_factory=TrainingConfig, description="How to train."
    )
