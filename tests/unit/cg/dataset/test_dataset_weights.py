"""Raw and equilibrium weights in one set, and which of them training takes."""

import logging
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from apps.science.cg.dataset.write import DatasetConfig
from apps.science.errors import WeightError
from apps.science.segments.equilibrium_store import (
    note_absence,
    write_equilibrium_weights,
)
from apps.science.segments.store import open_store
from apps.science.tasks.force_matching.data import read_training_data

Write = Callable[..., Path]


@pytest.fixture
def weighed(folder: Path) -> Path:
    """Return a folder whose segments.h5 has equilibrium weights."""
    write_equilibrium_weights(folder / "segments.h5", lambda atoms: atoms[:, -1, :1])
    return folder


def used(path: Path) -> np.ndarray:
    data = read_training_data(path)
    return np.concatenate([data.train.weight, data.validation.weight])


def test_both_weights_are_stored_frame_by_frame(weighed: Path, write: Write) -> None:
    path = write(weighed, weight_cutoff=1e-3)
    with open_store(weighed / "segments.h5") as store, h5py.File(path) as h5:
        kept = store["weight"][:] >= 1e-3
        for name in ("weight", "weight_eq"):
            np.testing.assert_array_equal(h5[f"mol/0/{name}"][:], store[name][:][kept])
        said = dict(h5["mol/0/weight_eq"].attrs)
        assert said == dict(store["weight_eq"].attrs)
        assert said["n_rounds"] == 40


@pytest.mark.parametrize(
    ("kind", "name"), [("raw", "weight"), ("equilibrium", "weight_eq")]
)
def test_training_reads_the_weights_that_the_config_names(
    weighed: Path, write: Write, kind: str, name: str
) -> None:
    path = write(weighed, weights=kind)
    with h5py.File(path) as h5:
        stored = h5[f"mol/0/{name}"][:]
    assert read_training_data(path).weights == kind
    np.testing.assert_array_equal(np.sort(used(path)), np.sort(stored[stored > 0]))


def test_one_set_serves_both_weightings(weighed: Path, write: Write) -> None:
    path = write(weighed)
    raw, other = (read_training_data(path, weights=k) for k in ("raw", "equilibrium"))
    assert len(other.train) < len(raw.train)  # the burn-in has no equilibrium weight
    assert raw.fingerprint != other.fingerprint


def test_equilibrium_weights_that_are_not_there_are_refused(
    folder: Path, write: Write
) -> None:
    with pytest.raises(WeightError, match="no equilibrium weights: none were estim"):
        write(folder, weights="equilibrium")
    assert not (folder / "dataset.h5").exists()
    path = write(folder)
    with pytest.raises(WeightError, match=r"for 0: none were estimated.*weights: raw"):
        read_training_data(path, weights="equilibrium")


def test_the_reason_why_there_are_none_is_handed_on(folder: Path, write: Write) -> None:
    note_absence(folder / "segments.h5", "A burn-in leaves 3 transitions, too few.")
    with pytest.raises(WeightError, match="leaves 3 transitions"):
        write(folder, weights="equilibrium")
    with h5py.File(write(folder)) as h5:
        assert "leaves 3 transitions" in h5["mol/0"].attrs["weight_eq_absent"]


def test_a_run_with_targets_has_no_equilibrium(folder: Path, write: Write) -> None:
    with open_store(folder / "segments.h5", "r+") as h5:
        h5["parent"][-5:] = -3
    with pytest.raises(WeightError, match="has targets, so it has a steady state"):
        write(folder, weights="equilibrium")


@pytest.mark.parametrize("kind", ["raw", "equilibrium"])
def test_both_effective_numbers_are_said_and_what_has_not_relaxed(
    weighed: Path, write: Write, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with open_store(weighed / "segments.h5", "r+") as h5:
        h5["weight_eq"].attrs["distance"] = 0.31
    with caplog.at_level(logging.INFO):
        write(weighed, weights=kind)
    assert f"{kind} weights (used): ESS" in caplog.text
    assert caplog.text.count(": ESS ") == 2
    warned = "has not relaxed: raw and equilibrium probabilities differ by up to 0.31"
    assert (warned in caplog.text) == (kind == "raw")


def test_a_burn_in_without_equilibrium_weights_is_refused(
    weighed: Path, write: Write
) -> None:
    with open_store(weighed / "segments.h5", "r+") as h5:
        h5["weight_eq"][h5["weight"][:] > 0.2] = 0.0
    with pytest.raises(WeightError, match="equilibrium weight above zero"):
        write(weighed, weights="equilibrium", weight_cutoff=0.2)


def test_the_default_is_raw() -> None:
    assert DatasetConfig().weights == "raw"
