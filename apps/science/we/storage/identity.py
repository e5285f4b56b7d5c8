"""Whose run a west.h5 is: its seed and system, written into it and checked."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py

from apps.science.content import hash_content
from apps.science.errors import ConfigError
from apps.science.files import hash_file
from apps.science.hdf5 import edit_hdf5
from apps.science.we.spec import PropagationSpec

SEED, SYSTEM = "weft_seed", "weft_system"


def fingerprint(spec: PropagationSpec) -> str:
    """Return a sha256 of what is simulated: settings, and the files they name.

    Paths count by their content, so that a run folder may be moved and a file made
    again; a folder counts by its files.
    """
    return _fingerprint(spec, lambda path: hash_content(path) or hash_file(path))


def _fingerprint(spec: PropagationSpec, hash_: Callable[[Path], str]) -> str:
    named = {
        "propagator": spec.propagator, "pcoord": spec.pcoord, "starts": spec.starts
    }  # fmt: skip
    text = json.dumps(_by_content(named, hash_), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _by_content(value: Any, hash_: Callable[[Path], str]) -> Any:
    if isinstance(value, dict):
        return {key: _by_content(inner, hash_) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_by_content(inner, hash_) for inner in value]
    if isinstance(value, str) and "/" in value:
        path = Path(value)
        if path.is_file():
            return hash_(path)
        if path.is_dir():
            return [hash_(p) for p in sorted(path.iterdir()) if p.is_file()]
    return value


def write_identity(west_h5: Path, seed: int, system: str) -> None:
    """Note whose run this is."""
    with edit_hdf5(west_h5) as h5:
        h5.attrs[SEED] = seed
        h5.attrs[SYSTEM] = system


def check_identity(west_h5: Path, spec: PropagationSpec) -> None:
    """Refuse a west.h5 of another run.

    Raises
    ------
    ConfigError
        If it was made with another seed or for another system.
    """
    with h5py.File(west_h5, "r", locking=False) as h5:
        its_seed, its_system = h5.attrs.get(SEED), h5.attrs.get(SYSTEM)
    if its_seed is not None and int(its_seed) != spec.seed:
        raise ConfigError(
            f"{west_h5} holds a run with the seed {its_seed}; this campaign's is "
            f"{spec.seed}. Continue it with its own seed, or use a new run folder."
        )
    system = fingerprint(spec)
    # earlier versions counted every byte of the files, dates included
    if its_system not in {None, system, _fingerprint(spec, hash_file)}:
        raise ConfigError(
            f"{west_h5} holds a run of another system: its system files, starting "
            f"structures or propagator settings have the sha256 {its_system[:12]}, "
            f"those given {system[:12]}. Continue it with its own files, or use a new "
            "run folder."
        )
