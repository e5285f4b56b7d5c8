"""The contract of a progress coordinate: what binning relies on."""

from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest

from apps.contracts.kinds import KindContract, check_settings
from apps.science.arrays import Array

N_POINTS = 5


class PcoordContract(KindContract):
    """A progress coordinate, shown a chain of five points.

    Overrides: ``kind``, and ``settings`` where it needs any (it may ask for pytest's
    ``tmp_path`` to write files); ``of_shape`` where it is none.
    """

    package: ClassVar[str] = "apps.science.pcoords"

    of_shape: ClassVar[bool] = True
    """Whether turning and moving a frame changes nothing."""

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        """Return settings for five points."""
        return {}

    @pytest.fixture
    def pcoord(self, module: ModuleType, settings: dict[str, Any]) -> Any:
        """Return it, made."""
        return module.ProgressCoordinate(module.Config(**settings))

    def test_the_kind_is_the_name_it_is_found_by_and_settings_are_strict(
        self, kind: str, module: ModuleType, settings: dict[str, Any]
    ) -> None:
        check_settings(module.Config, kind, settings)

    def test_one_finite_row_per_frame(self, pcoord: Any) -> None:
        values = pcoord.compute(wander(7))
        assert values.shape == (7, pcoord.n_dim)
        assert np.isfinite(values).all()

    def test_the_settings_know_how_many_numbers_there_are(
        self, module: ModuleType, settings: dict[str, Any], pcoord: Any
    ) -> None:
        config = module.Config(**settings)
        assert config.n_coordinates == pcoord.n_dim == len(config.labels)

    def test_frames_do_not_influence_each_other(self, pcoord: Any) -> None:
        frames = wander(6)
        whole = pcoord.compute(frames)
        single = np.concatenate([pcoord.compute(frame[None]) for frame in frames])
        np.testing.assert_allclose(whole, single, atol=1e-9)

    def test_single_precision_frames_give_the_same_value(self, pcoord: Any) -> None:
        frames = wander(20)
        stored = frames.astype(np.float32)
        np.testing.assert_allclose(
            pcoord.compute(stored), pcoord.compute(frames), atol=1e-3
        )

    def test_a_shape_coordinate_ignores_rotation_and_translation(
        self, pcoord: Any
    ) -> None:
        if not self.of_shape:
            pytest.skip("it is of the frame, not of the shape")
        frames = wander(20)
        rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
        rotation *= np.sign(np.linalg.det(rotation))
        np.testing.assert_allclose(
            pcoord.compute(frames @ rotation + 7.0), pcoord.compute(frames), atol=1e-8
        )

    def test_frames_are_not_changed_in_place(self, pcoord: Any) -> None:
        frames = wander(4)
        before = frames.copy()
        pcoord.compute(frames)
        np.testing.assert_array_equal(frames, before)


def wander(n_frames: int) -> Array:
    """Return a jittering chain of points, (n_frames, N_POINTS, 3), Angstrom."""
    rng = np.random.default_rng(2)
    chain = 1.5 * np.cumsum(rng.normal(size=(N_POINTS, 3)), axis=0)
    return chain + 0.3 * rng.normal(size=(n_frames, N_POINTS, 3))


def write_points(path: Path) -> str:
    """Write one frame of the chain as .npy, for settings that name a structure."""
    np.save(path, wander(1)[0])
    return str(path)
