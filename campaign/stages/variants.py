"""Experiments in one campaign: models that differ in what they are learnt with.

``experiments.variants`` names models and what is different about each;
``experiments.sweep`` makes one of every combination of values. Each has the sections
of the campaign, changed where it says so.
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, Field, ValidationError

from apps.science import plugins
from apps.science.cg.dataset.write import DatasetConfig
from apps.science.cg.mapping.config import MADE_OF_FRAMES, FrameChoice, MappingConfig
from apps.science.cg.prior.priors import PriorConfig
from apps.science.config_base import StrictConfig
from apps.science.models.potentials.base import ModelConfig
from apps.science.tasks.force_matching.config import TrainingConfig
from campaign.config import MODEL_KINDS

_SECTIONS: Final[dict[str, type[StrictConfig]]] = {
    "mapping": MappingConfig, "prior": PriorConfig, "dataset": DatasetConfig,
    "model": ModelConfig, "training": TrainingConfig,
}  # fmt: skip
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
_LONGEST_NAME: Final = 80


class ExperimentsConfig(StrictConfig):
    """Several models of one campaign."""

    variants: dict[str, dict[str, Any]] | None = Field(
        None,
        description="Models by name, each with what differs from the sections mapping "
        "(force_map), prior, dataset, model, training, and seed (of the training).",
    )
    sweep: dict[str, list[Any]] = Field(
        default_factory=dict,
        description="Dotted settings (training.weighted, seed) with the values to "
        "try; every combination is a model, of each variant.",
    )

    @property
    def asked(self) -> bool:
        """Whether a person asked for any."""
        return self.variants is not None or bool(self.sweep)


@dataclass(frozen=True)
class Variant:
    """One model to train, with all its settings.

    Attributes
    ----------
    seed : of the training: initial weights and the order of frames
    changes : dotted settings that differ from the campaign's own, with their values
    """

    name: str
    mapping: MappingConfig
    prior: PriorConfig
    dataset: DatasetConfig
    model: ModelConfig
    training: TrainingConfig
    seed: int
    changes: dict[str, Any]

    @property
    def frames(self) -> FrameChoice:
        """Which frames count, and which of them are held out."""
        chosen = self.dataset.model_dump(include=set(FrameChoice.model_fields))
        return FrameChoice(**chosen)

    @property
    def prior_key(self) -> tuple[str, ...]:
        """What a prior's fit depends on; variants that agree in it share one.

        A force map that frames decide is made beside it, of the frames that train.
        """
        fitted = self.mapping.force_map in MADE_OF_FRAMES
        return (
            self.prior.model_dump_json(),
            self.mapping.model_dump_json(),
            str(self.prior.weights or self.dataset.weights),
            self.frames.model_dump_json() if fitted else "",
        )

    @property
    def dataset_key(self) -> tuple[str, ...]:
        """What a training set depends on; variants that agree in it share one."""
        return (*self.prior_key, self.dataset.model_dump_json())


def list_variants(
    sections: Mapping[str, StrictConfig],
    seed: int,
    experiments: ExperimentsConfig,
    usual: Mapping[str, Mapping[str, Any]],
    context: Any = None,
) -> list[Variant]:
    """Return every model of a campaign, checked.

    Parameters
    ----------
    sections : mapping, prior, dataset, model and training of the campaign
    usual : the variants where none are asked for
    context : pydantic's, for paths in the file

    Raises
    ------
    ValueError
        If a variant asks for what does not exist or cannot be; it is named.
    """
    asked: Mapping[str, Mapping[str, Any]] = experiments.variants or usual
    if experiments.sweep and experiments.variants is None:
        asked = {"": {}}
    variants: list[Variant] = []
    for name, changes in asked.items():
        for combination in _combine(experiments.sweep):
            parts = [name, *(_spell(key, value) for key, value in combination.items())]
            full = "_".join(part for part in parts if part)
            wanted = _flatten(changes) | combination
            variants.append(_build(full, wanted, sections, seed, context))
    names = [v.name for v in variants]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise ValueError(
            f"Two experiments are called {', '.join(twice)}. Sweep values that can be "
            "told apart, or name them as variants."
        )
    return variants


def _combine(sweep: Mapping[str, list[Any]]) -> Iterator[dict[str, Any]]:
    for key, values in sweep.items():
        if not values:
            raise ValueError(f"sweep.{key} has no values. Give at least one.")
    for combination in itertools.product(*sweep.values()):
        yield dict(zip(sweep, combination, strict=True))


def _spell(key: str, value: Any) -> str:
    """Return a setting as part of a folder's name: weight_cutoff_1e-06."""
    if isinstance(value, list):
        text = "+".join(str(v) for v in value)
    elif isinstance(value, dict):
        text = "+".join(str(v) for v in value.values())
    elif isinstance(value, float):
        text = f"{value:g}"
    else:
        text = str(value).lower()
    leaf = key.rsplit(".", 1)[-1]
    return re.sub(r"[^A-Za-z0-9_.+-]+", "-", f"{leaf}_{text}")


def _flatten(changes: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return nested settings under dotted names; a model stays whole."""
    flat: dict[str, Any] = {}
    for key, value in changes.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping) and not above:
            flat |= _flatten(value, f"{name}.")
        else:
            flat[name] = value
    return flat


def _build(
    name: str,
    changes: dict[str, Any],
    sections: Mapping[str, StrictConfig],
    seed: int,
    context: Any,
) -> Variant:
    """Return one variant: the campaign's sections with the changes in them."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise ValueError(
            f"{name!r} cannot be the name of a model: letters, digits and _.+- are "
            f"expected, {_LONGEST_NAME} at most. Name it as a variant."
        )
    by_section: dict[str, dict[str, Any]] = {}
    for key, value in changes.items():
        section, _, setting = key.partition(".")
        if key == "seed":
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ValueError(
                    f"{name}: seed is a whole number of at least 0; found {value!r}."
                )
            seed = value
        elif section in _SECTIONS and not setting and isinstance(value, Mapping):
            by_section.setdefault(section, {}).update(value)
        elif section not in _SECTIONS or not setting:
            raise ValueError(
                f"{name}: {key} cannot differ between models. What can: "
                f"{', '.join(f'{s}.*' for s in _SECTIONS)}, and seed."
            )
        elif section == "mapping" and setting != "force_map":
            raise ValueError(
                f"{name}: {key} decides the beads, which all models share; of the "
                "mapping only force_map can differ. Make it a campaign of its own."
            )
        else:
            by_section.setdefault(section, {})[setting] = value
    built: dict[str, Any] = {
        section: _change(name, section, sections[section], wanted, context)
        for section, wanted in {s: by_section.get(s, {}) for s in _SECTIONS}.items()
    }
    return Variant(name, **built, seed=seed, changes=changes)


def _change(
    name: str, section: str, base: StrictConfig, wanted: dict[str, Any], context: Any
) -> BaseModel:
    """Return a section with some settings changed, checked as if it were written so."""
    if not wanted:
        return base
    cls: type[BaseModel] = type(base)
    settings = base.model_dump(exclude_unset=True)
    if section == "model":
        kind = wanted.get("kind", settings.get("kind"))
        cls = plugins.load_kind(MODEL_KINDS, str(kind)).Config
        if not isinstance(base, cls):
            settings = {}
    try:
        return cls.model_validate(settings | wanted, context=context)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in (section, *first["loc"]))
        said = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"{name}: {where}: {said}.".replace("..", ".")) from None
