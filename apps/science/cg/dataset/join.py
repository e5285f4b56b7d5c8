"""Several proteins in one training set: the molecules of other sets are copied in."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.science.cg.dataset.file import (
    FORMER,
    SCHEMA,
    SHARED,
    create_file,
    open_dataset,
)
from apps.science.errors import DataError

_log = logging.getLogger(__name__)

_WHERE = Path("cg") / "dataset.h5"
_SAME = ("units", "embedding_map", "weights")


def join_datasets(
    sources: Sequence[Path],
    out: Path,
    names: Sequence[str] | None = None,
    *,
    one_prior: bool = True,
) -> Path:
    """Write one training set with the molecules of all ``sources``.

    Frames are copied by HDF5, chunk by chunk; each molecule keeps its split.

    Parameters
    ----------
    sources : dataset.h5 files or run folders
    names : one for the molecule of each source; None keeps theirs
    one_prior : refuse molecules whose priors differ

    Raises
    ------
    DataError
        If a set is missing or of another schema, or they do not go together.
    """
    if not sources:
        raise DataError("No dataset was named to join. Name at least one.")
    if names is not None and len(names) != len(sources):
        raise DataError(
            f"{len(names)} names were given for {len(sources)} datasets; expected one "
            "for each."
        )
    with create_file(out) as h5:
        with open_dataset(find_dataset(sources[0])) as first:
            _check_schema(first, sources[0])
            meta = h5.create_group("meta")
            meta.attrs.update(
                {k: first["meta"].attrs[k] for k in (*_SAME, "kB_kcal_per_mol_K")}
            )
            meta.attrs["schema"] = SCHEMA
        h5.create_group("mol")
        add_molecules(h5, sources, names, one_prior=one_prior)
        describe_shared(h5)
    return out


def find_dataset(path: Path) -> Path:
    """Return the dataset.h5 that a path, or a run folder, means."""
    return path / _WHERE if path.is_dir() else path


def add_molecules(
    h5: Any,
    sources: Sequence[Path],
    names: Sequence[str] | None = None,
    *,
    one_prior: bool = True,
) -> None:
    """Copy the molecules of other training sets into an open one.

    Raises
    ------
    DataError
        If a set cannot be read, or differs in units, weights, temperature, or prior.
    """
    for k, source in enumerate(sources):
        path = find_dataset(source)
        with open_dataset(path) as other:
            _check_schema(other, path)
            _check_meta(h5, other, path)
            keys = list(other["mol"])
            if names is not None and len(keys) != 1:
                raise DataError(
                    f"{path} holds {len(keys)} molecules, but one name was given for "
                    "it. Leave the names out, and theirs are kept."
                )
            for key in keys:
                name = names[k] if names is not None else key
                if name in h5["mol"]:
                    raise DataError(
                        f"Two molecules are called {name}, the second in {path}. Give "
                        "each campaign its own name (dataset.molecule)."
                    )
                group = other["mol"][key]
                check_molecule(h5, group, name, path, one_prior)
                other.copy(group, h5["mol"], name)
                _log.info(
                    "dataset: joined %s, %d frames", name, group.attrs["n_frames"]
                )


def describe_shared(h5: Any) -> None:
    """Write to ``/meta`` what all molecules have in common."""
    groups = list(h5["mol"].values())
    for name in (*SHARED, "temperature_kelvin"):
        values = [group.attrs[name] for group in groups]
        if all(v == values[0] or v != v for v in values):  # noqa: PLR0124  # NaN
            h5["meta"].attrs[name] = values[0]


def _check_schema(other: Any, path: Path) -> None:
    if other["meta"].attrs["schema"] == FORMER:
        raise DataError(
            f"{path} has schema {FORMER!r}, which can be trained on but not joined. "
            "Move it away and resume its run: it is written again."
        )


def _check_meta(h5: Any, other: Any, path: Path) -> None:
    for name in _SAME:
        ours, theirs = h5["meta"].attrs[name], other["meta"].attrs[name]
        if ours != theirs:
            raise DataError(
                f"{path} has {name} {theirs}, the set it is to join {ours}. Write one "
                "of them again so that they agree."
            )


def check_molecule(h5: Any, group: Any, name: str, path: Path, one_prior: bool) -> None:
    """Compare a molecule with those that are there already.

    Raises
    ------
    DataError
        If its beads, temperature, or prior (where one is asked for) differ.
    """
    theirs = group.attrs
    for key, there in h5["mol"].items():
        ours = there.attrs
        if ours["beads"] != theirs["beads"]:
            raise DataError(
                f"{name} of {path} has {theirs['beads']} beads, {key} has "
                f"{ours['beads']}. One model needs beads of one kind."
            )
        t_ours, t_theirs = (float(a["temperature_kelvin"]) for a in (ours, theirs))
        if not math.isclose(t_ours, t_theirs, abs_tol=0.01) and not (
            math.isnan(t_ours) and math.isnan(t_theirs)
        ):
            raise DataError(
                f"{name} of {path} was sampled at {t_theirs:g} K, {key} at {t_ours:g} "
                "K. A coarse-grained force field holds at one temperature."
            )
        if one_prior and ours["prior_sha256"] != theirs["prior_sha256"]:
            raise DataError(
                f"{name} of {path} was made with the prior "
                f"{theirs['prior_sha256'][:12]}, {key} with "
                f"{ours['prior_sha256'][:12]} (sha256). Give both one prior "
                "(prior.parameters), or set dataset.one_prior: false to learn what "
                "each prior of its own leaves."
            )
