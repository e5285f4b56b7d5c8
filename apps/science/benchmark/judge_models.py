"""Judge several models against one reference: checks, then dynamics, then a table.

What lies in the folder afterwards: ``<model>/`` with frames.h5, course.h5,
metrics.json and densities.npz; metrics.json with all models and their ranks;
table.csv.
"""

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from apps.science.benchmark.judge import drop_burn_in, make_plain, run_benchmark
from apps.science.benchmark.model_kinds import (
    GivenFrames,
    GivenTrajectory,
    Judged,
)
from apps.science.benchmark.plain_dynamics import RunSettings
from apps.science.benchmark.ranking import compare_models, rank_models, write_table
from apps.science.benchmark.reference_set import ReferenceSet, check_reference
from apps.science.errors import ConfigError
from apps.science.files import make_folder, write_json
from apps.science.pcoords.tica import read_tica

log = logging.getLogger(__name__)

SCHEMA = "weft-benchmark-1"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


def judge_models(
    reference: ReferenceSet,
    models: Mapping[str, Judged],
    settings: RunSettings,
    out: Path,
    burn_in_fraction: float = 0.25,
    n_bootstrap: int = 200,
    folded_angstrom: float | None = None,
    tell: Callable[[str], None] = log.info,
) -> dict[str, Any]:
    """Return, and write to ``out``/metrics.json, every figure of every model.

    Parameters
    ----------
    models : by name; names become folders
    burn_in_fraction : part of each simulated model's time left out; frames that are
        given are taken as they are
    tell : called with what is being done

    Raises
    ------
    ConfigError
        If a name cannot be a folder's, or there is no model.
    WeftError
        If a model does not fit the reference; nothing has been simulated then.
    """
    if not models:
        raise ConfigError("No model is given. Name at least one to judge.")
    for name in models:
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"A model cannot be called {name!r}: its name becomes a folder. Use "
                "letters, digits, and . _ + -, as in NAME=PATH."
            )
    check_reference(reference)
    for model in models.values():
        model.check(reference)
    bodies = {}
    for name, model in models.items():
        folder = out / name
        make_folder(folder)
        tell(f"{name}: making its frames")
        course = model.make_frames(reference, settings, folder)
        given = isinstance(model, GivenFrames | GivenTrajectory)
        cut = 0.0 if given else burn_in_fraction
        passage = None
        if isinstance(model, GivenFrames) and reference.tica is not None:
            passage = model.read_passage(read_tica(reference.tica), burn_in_fraction)
        tell(f"{name}: comparing {len(course)} frames with the reference")
        path = run_benchmark(
            reference.frames,
            drop_burn_in(course, cut).write(folder / "frames.h5"),
            reference.mapping,
            reference.tica,
            folder / "metrics.json",
            folder / "densities.npz",
            n_bootstrap=n_bootstrap,
            seed=settings.seed,
            native=reference.native,
            model_course=course.write(folder / "course.h5"),
            temperature_kelvin=reference.temperature_kelvin,
            folded_angstrom=folded_angstrom,
            passage=passage,
        )
        bodies[name] = json.loads(path.read_text(encoding="utf-8"))
    rows = compare_models(bodies)
    first = next(iter(bodies.values()))
    body = {
        "schema": SCHEMA,
        "reference": {
            "sha256": first["reference_sha256"],
            **first["sets"]["reference"],
        },
        "warnings": [
            *first["warnings"],
            *(
                f"{name}: {said}."
                for name, one in bodies.items()
                for said in one["model_warnings"]
            ),
        ],
        "ranking": [asdict(s) for s in rank_models(rows)],
        "table": [asdict(row) for row in rows],
        "models": bodies,
    }
    write_table(rows, out / "table.csv")
    plain: dict[str, Any] = make_plain(body)
    write_json(out / "metrics.json", plain)
    return plain
