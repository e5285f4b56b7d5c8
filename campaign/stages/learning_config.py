"""What every campaign that learns a force field asks for, wherever frames come from."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Literal, Self

from pydantic import (
    Field,
    PrivateAttr,
    SerializeAsAny,
    ValidationInfo,
    field_validator,
    model_validator,
)

from apps.science import plugins
from apps.science.cg.dataset.write import DatasetConfig
from apps.science.cg.mapping.config import MappingConfig
from apps.science.cg.prior.priors import PriorConfig
from apps.science.config_base import StrictConfig
from apps.science.models.potentials.base import ModelConfig, read_config
from apps.science.tasks.force_matching.config import TrainingConfig
from campaign.config import MODEL_KINDS, CampaignConfig
from campaign.stages.variants import (
    ExperimentsConfig,
    Variant,
    list_variants,
)

USUAL_MODEL: Final = "cgschnet"
COLDEST_KELVIN: Final = 100.0
"""Below it no protein moves; what is meant is nearly always degrees Celsius."""


def check_kelvin(kelvin: float, where: str) -> None:
    """Refuse what is no temperature of a protein.

    Raises
    ------
    ValueError
        If so; what it would be in degrees Celsius is said.
    """
    if kelvin < COLDEST_KELVIN:
        raise ValueError(
            f"{where} is {kelvin:g} K, at which no protein moves; expected "
            f"{COLDEST_KELVIN:g} K or more. If degrees Celsius are meant, write "
            f"{kelvin + 273.15:g}."
        )


def check_prior_kelvin(config: "LearningConfig", kelvin: float) -> None:
    """Refuse a prior of another temperature than the data have.

    Raises
    ------
    ValueError
        If one is asked for.
    """
    asked = {"prior": config.prior}
    asked |= {f"the model {one.name}: prior": one.prior for one in config.variants}
    for where, prior in asked.items():
        given = "temperature_kelvin" in prior.model_fields_set
        if given and prior.temperature_kelvin != kelvin:
            raise ValueError(
                f"{where}.temperature_kelvin is {prior.temperature_kelvin:g}, that of "
                f"the system {kelvin:g}. A prior is fitted at the temperature of its "
                "data: leave it out."
            )


LEARNING_READ_BY: Final[Mapping[str, Sequence[str]]] = {
    "prior": ["prior"], "dataset": ["prior"], "model": ["train"],
    "training": ["train"], "n_train_processes": [], "experiments": ["prior"],
    "copy_inputs_mb": [],
}  # fmt: skip
"""The first stages from frames to models that read a setting."""


class TicaConfig(StrictConfig):
    """The progress coordinate of sampling and the axes of the benchmark."""

    lag_ps: float = Field(10.0, gt=0, le=1e9, description="Lag time.")
    features: Literal["distances", "dihedrals"] = Field(
        "distances", description="Bead distances with |i-j| >= 3, or backbone torsions."
    )


class LearningConfig(CampaignConfig):
    """From frames to trained models."""

    usual_variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"weighted": {}}
    """The models where no experiments are asked for."""

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
    model: SerializeAsAny[ModelConfig] = Field(
        default_factory=lambda: read_config({"kind": USUAL_MODEL}),
        description="The network to train.",
    )
    training: TrainingConfig = Field(
        default_factory=TrainingConfig, description="How it is trained."
    )
    n_train_processes: int | None = Field(
        None,
        gt=0,
        le=1024,
        description="DDP processes per model; default: one per GPU or slot that the "
        "site gives a training, and one on a laptop.",
    )
    experiments: ExperimentsConfig = Field(
        default_factory=ExperimentsConfig,
        description="Models that differ in what they are learnt with.",
    )
    _variants: list[Variant] = PrivateAttr(default_factory=list)

    @property
    def variants(self) -> list[Variant]:
        """Every model of the campaign, with its settings."""
        return self._variants

    @model_validator(mode="after")
    def _every_process_has_a_frame(self) -> Self:
        n = self.n_train_processes or 1
        if n > self.training.batch_size:
            raise ValueError(
                f"n_train_processes {n} is more than training.batch_size "
                f"{self.training.batch_size}: some would have no frame of a batch."
            )
        return self

    @field_validator("model", mode="before")
    @classmethod
    def _build_model(cls, value: Any) -> Any:
        if isinstance(value, dict) and "kind" in value:
            module = plugins.load_kind(MODEL_KINDS, str(value["kind"]))
            return module.Config.model_validate(value)
        return value

    @model_validator(mode="after")
    def _experiments_are_possible(self, info: ValidationInfo) -> Self:
        sections = {
            name: getattr(self, name)
            for name in ("mapping", "prior", "dataset", "model", "training")
        }
        try:
            self._variants = list_variants(
                sections, self.seed, self.experiments, self.usual_variants, info.context
            )
        except ValueError as error:
            raise ValueError(f"experiments: {error}") from None
        return self
