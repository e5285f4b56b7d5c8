"""What every campaign that learns a force field asks for, wherever frames come from."""

from typing import Any, Final, Literal

from pydantic import Field, SerializeAsAny, field_validator

from apps.science import plugins
from apps.science.cg.dataset.write import DatasetConfig
from apps.science.cg.mapping.config import MappingConfig
from apps.science.cg.prior.priors import PriorConfig
from apps.science.config_base import StrictConfig
from apps.science.models.base import ModelConfig
from apps.science.training.config import TrainingConfig
from campaign.config import CampaignConfig

_MODEL_KINDS: Final = "apps.science.models"


class TicaConfig(StrictConfig):
    """The progress coordinate of sampling and the axes of the benchmark."""

    lag_ps: float = Field(10.0, gt=0, description="Lag time.")
    features: Literal["distances", "dihedrals"] = Field(
        "distances", description="Bead distances with |i-j| >= 3, or backbone torsions."
    )


class LearningConfig(CampaignConfig):
    """From frames to a trained model."""

    mapping: MappingConfig = Field(
        default_factory=MappingConfig, description="Beads and force map."
    )
    tica: TicaConfig = Field(
        default_factory=TicaConfig, description="Slow coordinates."
    )
    prior: PriorConfig = Field(default_factory=PriorConfig, description="Prior terms.")
    dataset: DatasetConfig = Field(
        default_factory=DatasetConfig, description="Learning targets and their split."
    )
    model: SerializeAsAny[ModelConfig] = Field(description="The network to train.")
    training: TrainingConfig = Field(
        default_factory=TrainingConfig, description="How it is trained."
    )
    n_train_processes: int | None = Field(
        None,
        gt=0,
        description="DDP processes per model; default: one per GPU or slot that the "
        "site gives a training, and one on a laptop.",
    )

    @field_validator("model", mode="before")
    @classmethod
    def _build_model(cls, value: Any) -> Any:
        if isinstance(value, dict) and "kind" in value:
            module = plugins.load_kind(_MODEL_KINDS, str(value["kind"]))
            return module.Config.model_validate(value)
        return value
