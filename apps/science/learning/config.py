"""What the loop is told: the settings of any training, and the file that starts one."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from apps.science.config_base import StrictConfig


class LoopConfig(StrictConfig):
    """How long, in which steps and when to stop; a task adds settings of its own."""

    n_epochs: int | None = Field(
        50,
        gt=0,
        le=1_000_000,
        description="Passes over the training frames, at most; null: as many as fit "
        "into budget_minutes, as where that is given and this is not.",
    )
    budget_minutes: float | None = Field(
        None,
        gt=0,
        le=525_600,
        description="Computing time of a training: what fits is counted once, from "
        "steps that are timed, and the learning rate runs over it.",
    )
    batch_size: int = Field(
        128,
        gt=0,
        le=1_000_000,
        description="Frames per step, over all processes together.",
    )
    learning_rate: Annotated[float, Field(gt=0, le=1)] | Literal["auto"] = Field(
        1e-3,
        description="AdamW's largest step, or auto: from a range test before the "
        "first step.",
    )
    learning_rate_min: float = Field(
        1e-5, ge=0, le=1, description="Where schedules end."
    )
    warmup_steps: int = Field(
        100, ge=0, le=10**9, description="Steps of linear warm-up."
    )
    schedule: Literal["cosine", "plateau", "constant"] = Field(
        "cosine", description="Course of the learning rate."
    )
    plateau_factor: float = Field(
        0.8, gt=0, lt=1, description="Factor where the loss stalls."
    )
    plateau_patience: int = Field(10, gt=0, description="Epochs that make a stall.")
    weight_decay: float = Field(
        0.01,
        ge=0,
        le=100,
        description="AdamW's decay; biases, embeddings, RBF have none.",
    )
    gradient_clip: float = Field(
        10.0, gt=0, description="Largest norm of a step's gradient."
    )
    ema_decay: float = Field(
        0.999, ge=0, lt=1, description="Decay of the weights' moving average; 0: none."
    )
    patience: int = Field(
        30, gt=0, description="Epochs without a better validation loss before stopping."
    )
    checkpoint_seconds: float = Field(
        60.0,
        gt=0,
        le=604_800,
        description="Longest time between checkpoints inside an epoch.",
    )

    @field_validator("learning_rate", mode="wrap")
    @classmethod
    def _is_a_rate_or_auto(cls, value: Any, check: Callable[[Any], Any]) -> Any:
        try:
            return check(value)
        except ValidationError:
            raise ValueError(
                f"expected a number above 0, at most 1, or auto; found {value!r}"
            ) from None

    @model_validator(mode="before")
    @classmethod
    def _a_budget_needs_no_epochs(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("budget_minutes") is not None:
            return {"n_epochs": None, **value}
        return value

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.n_epochs is None and self.budget_minutes is None:
            raise ValueError(
                "n_epochs is null and there is no budget_minutes, so that training "
                "would have no end. Give one of them, or both."
            )
        return self


class Job(StrictConfig):
    """The file that ``python -m apps.science.learning`` is given; tasks add to it."""

    task: str = Field(
        description="What is learnt: a kind in apps/science/tasks, or an import path."
    )
    out: Path = Field(description="Folder of checkpoints/ and metrics.csv.")
    progress: Path | None = Field(None, description="Where to write progress JSON.")
    seed: int = Field(0, ge=0, description="Decides initial weights and batches.")
    device: str = Field("auto", description="cpu, cuda, or auto.")
    training: LoopConfig = Field(
        default_factory=LoopConfig, description="How to train."
    )

    @property
    def unfinished(self) -> Path:
        """The file that says that training left early, to be started again."""
        return self.out / "unfinished"
