"""Files that are none of weft's, given to its commands: a sentence each."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from apps.science.benchmark.plain_dynamics import RunSettings
from apps.science.benchmark.reference_set import ReferenceSet
from apps.science.cg.mapping.mapping import Mapping
from apps.science.errors import ConfigError, WeftError
from apps.science.segments.frames import WeightedFrames
from campaign.cli import app
from campaign.commands.benchmark import find_reference, parse_model
from campaign.commands.data import describe

NAMES = (
    "west.h5", "foreign.h5", "empty.h5", "cut.h5", "a.npz", "a.npy", "dict.pt",
    "bytes.pt", "words.pdb", "empty.pdb", "words.yaml", "empty.dcd", "bytes.xtc", ".",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one file of each kind."""
    home = tmp_path_factory.mktemp("foreign")
    with h5py.File(home / "west.h5", "w") as h5:
        h5.attrs["west_current_iteration"] = 3
        h5.create_group("iterations/iter_00000001").create_dataset("pcoord", data=[1.0])
    with h5py.File(home / "foreign.h5", "w") as h5:
        h5["meta"] = 3
    whole = (home / "foreign.h5").read_bytes()
    (home / "cut.h5").write_bytes(whole[: len(whole) // 2])
    np.savez(home / "a.npz", a=np.arange(3))
    np.save(home / "a.npy", np.arange(3))
    torch.save({"a": torch.zeros(2)}, home / "dict.pt")
    noise = np.random.default_rng(1).bytes(400)
    (home / "bytes.pt").write_bytes(noise)
    (home / "bytes.xtc").write_bytes(noise)
    for name in ("words.pdb", "words.yaml"):
        (home / name).write_text("hello\n")
    for name in ("empty.h5", "empty.pdb", "empty.dcd"):
        (home / name).touch()
    return home


@pytest.mark.parametrize("name", NAMES)
def test_data_and_export_refuse_what_is_not_theirs(folder: Path, name: str) -> None:
    with pytest.raises(WeftError, match=name.replace(".", r"\.") + "|foreign"):
        describe(folder / name)
    done = CliRunner().invoke(app, ["export", str(folder / name)])
    assert isinstance(done.exception, ConfigError)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("command", ["simulate", "tune"])
def test_models_that_are_none_are_refused(
    folder: Path, name: str, command: str, tmp_path: Path
) -> None:
    out = str(tmp_path / "out")
    done = CliRunner().invoke(app, [command, str(folder / name), "--out", out])
    assert isinstance(done.exception, WeftError), done.exception


@pytest.mark.parametrize("name", NAMES)
def test_references_that_are_none_are_refused(
    folder: Path, name: str, tmp_path: Path
) -> None:
    given = {
        "topology": None, "weights": None, "beads": "calpha", "lag_ps": 1.0,
        "features": "distances", "interval_ps": None,
    }  # fmt: skip
    with pytest.raises(WeftError):
        find_reference(folder / name, tmp_path, given, None, None)


@pytest.fixture
def reference(tmp_path: Path, calpha_chain: Callable[[int], Mapping]) -> ReferenceSet:
    """Make a reference of five beads."""
    calpha_chain(5).write(tmp_path / "mapping.json")
    n = 40
    frames = WeightedFrames(
        positions=np.random.default_rng(1).normal(size=(n, 5, 3)).astype("f4"),
        weight=np.ones(n), lineage=np.arange(n), trajectory=np.zeros(n, int),
        time_ps=np.arange(1.0, n + 1),
    )  # fmt: skip
    frames.write(tmp_path / "frames.h5")
    return ReferenceSet(tmp_path / "frames.h5", tmp_path / "mapping.json")


@pytest.mark.parametrize("name", NAMES)
def test_judged_models_that_are_none_are_refused(
    folder: Path, name: str, reference: ReferenceSet
) -> None:
    with pytest.raises(WeftError):
        check_all(str(folder / name), reference)


def check_all(asked: str, reference: ReferenceSet) -> None:
    for model in parse_model(asked).values():
        model.check(reference)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "."])
def test_native_structures_that_are_none_are_refused(
    folder: Path, name: str, reference: ReferenceSet
) -> None:
    with pytest.raises(WeftError):
        replace(reference, native=folder / name).read_native()


@pytest.mark.parametrize(
    "settings",
    [
        {"n_ps": np.inf}, {"n_ps": np.nan}, {"timestep_fs": 0}, {"timestep_fs": 1e9},
        {"temperature_kelvin": 0}, {"temperature_kelvin": np.nan}, {"n_ps": 1e30},
        {"frame_interval_ps": -1},
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="cannot be"):
        RunSettings(**settings)  # type: ignore[arg-type]
