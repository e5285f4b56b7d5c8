"""What a person writes in the campaign.yaml of a force-field campaign."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    Field,
    StringConstraints,
    model_validator,
)

from apps.science.systems.config import SystemConfig
from apps.science.units import FS_PER_PS, count_steps
from campaign.stages.learning_config import (
    LearningConfig,
    check_kelvin,
    check_prior_kelvin,
)
from campaign.stages.sampling_choice import check_choice, read_timestep
from campaign.stages.sampling_config import (
    LEAST_PAIRS,
    BenchmarkConfig,
    ReferenceConfig,
    SampleConfig,
    check_frames,
)
from campaign.types.force_field.presets import fill_in

ProteinName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)
]


class Config(LearningConfig):
    """A force-field campaign."""

    usual_variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "weighted": {"training": {"weighted": True}},
        "unweighted": {"training": {"weighted": False}},
    }

    type: Literal["force_field"] = "force_field"
    preset: str | None = Field(
        None,
        description="Published settings by name (thesis), beneath what is written.",
    )
    system: SystemConfig | None = Field(
        None, description="The protein and its conditions."
    )
    proteins: dict[ProteinName, SystemConfig] = Field(
        default_factory=dict,
        description="In place of system: several proteins by name.",
    )
    learn: Literal["together", "each"] = Field(
        "together",
        description="Several proteins: one prior, training set and set of models from "
        "all of them, or for each of them its own.",
    )
    reference: ReferenceConfig = Field(description="Plain MD, the ground truth.")
    sample: SampleConfig = Field(description="Weighted-ensemble sampling.")
    benchmark: BenchmarkConfig = Field(description="How the models are judged.")

    @property
    def systems(self) -> dict[str | None, SystemConfig]:
        """The proteins by name; None is the name of one that is alone."""
        if self.system is not None:
            return {None: self.system}
        named: dict[str | None, SystemConfig] = {}
        named.update(self.proteins)
        return named

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, value: Any) -> Any:
        return fill_in(value) if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _proteins_agree(self) -> Self:
        if (self.system is None) == (not self.proteins):
            found = "both" if self.proteins else "neither"
            raise ValueError(
                f"A campaign has a system (one protein) or proteins (several by name); "
                f"found {found}. Give one of them."
            )
        if self.learn == "each":
            return self
        first = next(iter(self.systems.values()))
        for name, system in self.proteins.items():
            for what in ("temperature_kelvin", "timestep_fs", "beads"):
                ours, theirs = getattr(first, what), getattr(system, what)
                if ours != theirs:
                    raise ValueError(
                        f"proteins.{name}.{what} is {theirs}, that of "
                        f"{next(iter(self.proteins))} {ours}. One model is learnt from "
                        "all of them: give them the same, or set learn: each."
                    )
        return self

    @model_validator(mode="after")
    def _temperatures_are_kelvin(self) -> Self:
        for name, system in self.systems.items():
            where = f"proteins.{name}" if name else "system"
            check_kelvin(system.temperature_kelvin, f"{where}.temperature_kelvin")
            check_prior_kelvin(self, system.temperature_kelvin)
        return self

    @model_validator(mode="after")
    def _iterations_suffice(self) -> Self:
        n = self.sample.n_iterations
        for variant in self.variants:
            named = f"the model {variant.name}: " if self.experiments.asked else ""
            burn_in = variant.dataset.burn_in_iterations
            if burn_in >= n:
                raise ValueError(
                    f"{named}dataset.burn_in_iterations {burn_in} leaves none of the "
                    f"{n} iterations of sample. Make it smaller."
                )
            if "equilibrium" not in (variant.dataset.weights, variant.prior.weights):
                continue
            if self.sample.targets:
                raise ValueError(
                    f"{named}weights: equilibrium cannot be had of a run with targets, "
                    "which is a steady state. Take raw, or no targets."
                )
            if self.sample.equilibrium.burn_in >= n:
                raise ValueError(
                    f"{named}sample.equilibrium.burn_in "
                    f"{self.sample.equilibrium.burn_in} leaves none of the {n} "
                    "iterations to make weights of. Make it smaller."
                )
        return self

    @model_validator(mode="after")
    def _lengths_are_whole(self) -> Self:
        systems, reference = self.systems.values(), self.reference
        interval_fs = reference.frame_interval_ps * FS_PER_PS
        for step in (system.timestep_fs for system in systems):
            count_steps(interval_fs, step, "reference.frame_interval_ps", "steps")
        n_frames = count_steps(
            reference.walk_length_ps, reference.frame_interval_ps,
            "reference.walk_length_ps (in ps, not fs)", "frames",
        )  # fmt: skip
        check_frames(n_frames, "reference", "a walk")
        count_steps(
            self.tica.lag_ps, reference.frame_interval_ps,
            "tica.lag_ps (in ps, not fs)", "frames",
        )  # fmt: skip
        for name, we, timesteps in (
            ("sample", self.sample, [read_timestep(self.sample, s) for s in systems]),
            ("benchmark", self.benchmark, [self.benchmark.timestep_fs]),
        ):
            for step in timesteps:
                count_steps(
                    we.frame_interval_fs, step, f"{name}.frame_interval_fs", "steps"
                )
            n_frames = count_steps(
                we.segment_length_fs, we.frame_interval_fs,
                f"{name}.segment_length_fs", "frames",
            )  # fmt: skip
            check_frames(n_frames, name, "a segment")
        for system in systems:
            check_choice(self.sample, system)
        if self.benchmark.bins.n_dim != 2:
            raise ValueError(
                f"benchmark.bins divide {self.benchmark.bins.n_dim} coordinates; the "
                "TICA progress coordinate has 2."
            )
        if self.tica.lag_ps >= reference.walk_length_ps:
            raise ValueError(
                f"tica.lag_ps {self.tica.lag_ps:g} must be shorter than "
                f"reference.walk_length_ps {reference.walk_length_ps:g}."
            )
        pairs = reference.n_walks * round(
            (reference.walk_length_ps - self.tica.lag_ps) / reference.frame_interval_ps
        )
        if pairs < LEAST_PAIRS:
            raise ValueError(
                f"tica.lag_ps {self.tica.lag_ps:g} leaves {pairs} pairs of frames in "
                f"{reference.n_walks} walks of {reference.walk_length_ps:g} ps, too "
                f"few for two slow coordinates; {LEAST_PAIRS} are the least, and "
                "thousands are usual. Run longer walks, or choose a shorter lag."
            )
        return self
