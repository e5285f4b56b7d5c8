"""One suite over every progress coordinate: what binning relies on.

To add one, add its file to apps/science/pcoords/ and a builder below.
"""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from apps.science.pcoords.base import ProgressCoordinate
from apps.science.pcoords.tica import fit_tica
from apps.science.plugins import list_kinds, load_kind

PACKAGE = "apps.science.pcoords"
N_BEADS = 5


def wander(n_frames: int) -> np.ndarray:
    """Return a jittering chain of beads, (n_frames, 5, 3), Angstrom."""
    rng = np.random.default_rng(2)
    chain = 1.5 * np.cumsum(rng.normal(size=(N_BEADS, 3)), axis=0)
    return chain + 0.3 * rng.normal(size=(n_frames, N_BEADS, 3))


def build_tica(folder: Path) -> dict[str, Any]:
    path = folder / "tica.npz"
    fit_tica([wander(400)], 1.0, 2.0, out=path)
    return {"model": str(path)}


def build_rmsd(folder: Path) -> dict[str, Any]:
    path = folder / "native.npy"
    np.save(path, wander(1)[0])
    return {"reference": str(path)}


# ---- A new progress coordinate registers its builder here, under its kind. ----
BUILDERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "cartesian": lambda folder: {"axes": [0, 1]},
    "dihedrals": lambda folder: {},
    "rmsd": build_rmsd,
    "tica": build_tica,
}


def test_every_coordinate_has_a_builder_here() -> None:
    assert set(list_kinds(PACKAGE)) == set(BUILDERS)


@pytest.fixture(scope="module", params=sorted(BUILDERS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def module(kind: str) -> ModuleType:
    return load_kind(PACKAGE, kind)


@pytest.fixture(scope="module")
def settings(kind: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return BUILDERS[kind](tmp_path_factory.mktemp(kind))


@pytest.fixture(scope="module")
def pcoord(module: ModuleType, settings: dict[str, Any]) -> ProgressCoordinate:
    made: ProgressCoordinate = module.ProgressCoordinate(module.Config(**settings))
    return made


def test_the_kind_is_the_files_name_and_unknown_keys_are_refused(
    kind: str, module: ModuleType, settings: dict[str, Any]
) -> None:
    assert module.Config(**settings).kind == kind
    with pytest.raises(ValidationError, match="Extra inputs"):
        module.Config(**settings, no_such_setting=1)


def test_one_finite_row_per_frame(pcoord: ProgressCoordinate) -> None:
    values = pcoord.compute(wander(7))
    assert values.shape == (7, pcoord.n_dim)
    assert np.isfinite(values).all()


def test_the_settings_know_how_many_numbers_there_are(
    module: ModuleType, settings: dict[str, Any], pcoord: ProgressCoordinate
) -> None:
    config = module.Config(**settings)
    assert config.n_coordinates == pcoord.n_dim == len(config.labels)


def test_frames_do_not_influence_each_other(pcoord: ProgressCoordinate) -> None:
    frames = wander(6)
    whole = pcoord.compute(frames)
    single = np.concatenate([pcoord.compute(frame[None]) for frame in frames])
    np.testing.assert_allclose(whole, single, atol=1e-9)


def test_single_precision_frames_give_the_same_value(
    pcoord: ProgressCoordinate,
) -> None:
    frames = wander(20)
    stored = frames.astype(np.float32)
    np.testing.assert_allclose(
        pcoord.compute(stored), pcoord.compute(frames), atol=1e-3
    )


def test_a_shape_coordinate_ignores_rotation_and_translation(
    kind: str, pcoord: ProgressCoordinate
) -> None:
    if kind == "cartesian":
        pytest.skip("Cartesian coordinates are of the frame, not of the shape")
    frames = wander(20)
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    rotation *= np.sign(np.linalg.det(rotation))
    np.testing.assert_allclose(
        pcoord.compute(frames @ rotation + 7.0), pcoord.compute(frames), atol=1e-8
    )


def test_frames_are_not_changed_in_place(pcoord: ProgressCoordinate) -> None:
    frames = wander(4)
    before = frames.copy()
    pcoord.compute(frames)
    np.testing.assert_array_equal(frames, before)
