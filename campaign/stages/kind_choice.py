"""Kinds of progress coordinates as campaign.yaml names them, and what a run knows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationInfo

from apps.science import plugins
from apps.science.input_files import find_file
from apps.science.pcoords.base import RUN, PcoordConfig
from apps.science.we.spec import PCOORDS

OPENMM: Final[Mapping[str, Any]] = {"kind": "openmm"}
TICA: Final[Mapping[str, Any]] = {"kind": "tica"}

_FILES: Final = ("mapping", "model", "topology", "reference")
OF_THE_RUN: Final = ("system_dir", "n_steps", "n_steps_per_frame")


def build_pcoord(value: Any, info: ValidationInfo | None = None) -> PcoordConfig:
    """Return the settings of a progress coordinate; files of the run stay ``run``.

    Raises
    ------
    UnknownKindError, ValidationError
        If there is no such kind, or its settings cannot be.
    ValueError
        If a file that they name is not there.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"expected a kind with its settings; found {value!r:.60}")
    kind = plugins.load_kind(PCOORDS, str(value.get("kind", TICA["kind"])))
    found: type[PcoordConfig] = kind.Config
    settings = {"kind": kind.__name__.rpartition(".")[2], **value}
    for field in found.run_files:
        settings.setdefault(field, RUN)
    for field in {*_FILES, *found.run_files} & found.model_fields.keys():
        path = settings.get(field)
        if isinstance(path, str) and path != RUN and info is not None:
            settings[field] = str(_find(path, field, info))
    return found.model_validate(settings, context=info.context if info else None)


def _find(written: str, field: str, info: ValidationInfo) -> Path:
    path = find_file(Path(written), info)
    if not path.is_file():
        raise ValueError(
            f"{field} is {path}, where no file is. Correct the path; the run's own "
            f"file is called {RUN}."
        )
    return path
