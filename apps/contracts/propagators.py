"""The contract of a propagator: what the weighted-ensemble engine relies on."""

import json
import pickle
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any, ClassVar, Final

import numpy as np
import pytest
from pydantic import ValidationError

from apps.contracts.kinds import KindContract, check_settings
from apps.science.arrays import Array
from apps.science.propagators.base import States

N_FRAMES, N_STEPS_PER_FRAME = 3, 5
STEPS: Final = {
    "n_steps": N_FRAMES * N_STEPS_PER_FRAME,
    "n_steps_per_frame": N_STEPS_PER_FRAME,
}


@dataclass(frozen=True)
class Case:
    """What a propagator is tested on.

    Attributes
    ----------
    settings : its own; steps are the suite's
    starts : four good states
    atol : how far company in a block may move a result, Angstrom
    """

    settings: dict[str, Any]
    starts: States
    atol: float = 0.0


class PropagatorContract(KindContract):
    """Dynamics with noise. Overrides: ``kind`` and ``case``."""

    package: ClassVar[str] = "apps.science.propagators"

    @pytest.fixture
    def case(self) -> Case:
        """Return settings and starts; it may ask for ``tmp_path``."""
        raise NotImplementedError("Override the fixture `case`: return a Case.")

    @pytest.fixture
    def propagator(self, module: ModuleType, case: Case) -> Any:
        """Return it, made once for all tests: it lives as long as a worker."""
        return _keep_warm(module, json.dumps(case.settings, default=str))

    def test_the_kind_is_the_name_it_is_found_by_and_settings_are_strict(
        self, kind: str, module: ModuleType, case: Case
    ) -> None:
        check_settings(module.Config, kind, STEPS | case.settings)

    def test_a_segment_is_a_whole_number_of_frames(
        self, module: ModuleType, case: Case
    ) -> None:
        assert module.Config(**STEPS, **case.settings).n_frames == N_FRAMES
        with pytest.raises(ValidationError, match="whole number of frames"):
            module.Config(n_steps=16, n_steps_per_frame=5, **case.settings)

    def test_shapes_and_types(self, propagator: Any, case: Case) -> None:
        frames = propagator.propagate(case.starts, [1, 2, 3, 4])
        recorded = propagator.recorded(case.starts)
        n_recorded = recorded.shape[1]
        assert recorded.shape == (4, n_recorded, 3)
        assert frames.positions.shape == (4, N_FRAMES, n_recorded, 3)
        assert frames.forces.shape == frames.positions.shape
        assert frames.positions.dtype == frames.forces.dtype == np.float32
        assert frames.final.positions.shape == case.starts.positions.shape
        assert frames.final.velocities.shape == case.starts.velocities.shape
        assert frames.failed.dtype == bool
        assert frames.failed.shape == (4,)
        assert not frames.failed.any()
        assert np.isfinite(frames.positions).all()
        assert np.isfinite(frames.forces).all()

    def test_the_last_frame_is_the_end_point(self, propagator: Any, case: Case) -> None:
        frames = propagator.propagate(case.starts, [1, 2, 3, 4])
        np.testing.assert_allclose(
            frames.positions[:, -1], propagator.recorded(frames.final), atol=1e-4
        )

    def test_the_same_seed_gives_the_same_bits_in_a_new_process_too(
        self, module: ModuleType, propagator: Any, case: Case
    ) -> None:
        first = propagator.propagate(case.starts, [1, 2, 3, 4])
        again = propagator.propagate(case.starts, [1, 2, 3, 4])
        fresh = build(module, case).propagate(case.starts, [1, 2, 3, 4])
        for other in (again, fresh):
            np.testing.assert_array_equal(first.positions, other.positions)
            np.testing.assert_array_equal(
                first.final.velocities, other.final.velocities
            )

    def test_noise_comes_from_the_seed(self, propagator: Any, case: Case) -> None:
        frames = propagator.propagate(case.starts, [1, 2, 1, 2**62])
        assert (frames.positions[0] != frames.positions[1]).any()
        assert (frames.positions[0] != frames.positions[3]).any()
        np.testing.assert_allclose(
            frames.positions[0], frames.positions[2], atol=case.atol
        )

    def test_place_and_company_in_the_block_do_not_matter(
        self, propagator: Any, case: Case
    ) -> None:
        moved = propagator.propagate(case.starts, [5, 6, 7, 8]).final
        block = propagator.propagate(moved, [11, 12, 13, 14])
        turned = propagator.propagate(moved.take([3, 2, 1, 0]), [14, 13, 12, 11])
        for row in range(4):
            alone = propagator.propagate(moved.take([row]), [11 + row])
            for other, place in ((alone, 0), (turned, 3 - row)):
                for name in ("positions", "forces"):
                    scale = 1.0 if name == "positions" else 1e3
                    np.testing.assert_allclose(
                        getattr(block, name)[row],
                        getattr(other, name)[place],
                        atol=scale * case.atol,
                        rtol=case.atol,
                    )

    def test_a_warm_propagator_takes_blocks_of_any_size(
        self, module: ModuleType, propagator: Any, case: Case
    ) -> None:
        expected = build(module, case).propagate(case.starts, [1, 2, 3, 4])
        for size in (1, 3, 2):
            frames = propagator.propagate(
                case.starts.take(range(size)), [1, 2, 3, 4][:size]
            )
            np.testing.assert_allclose(
                frames.positions, expected.positions[:size], atol=case.atol
            )

    def test_a_segment_goes_on_from_where_its_parent_ended(
        self, propagator: Any, case: Case
    ) -> None:
        parent = propagator.propagate(case.starts, [1, 2, 3, 4])
        child = propagator.propagate(parent.final, [5, 6, 7, 8])

        def steps(left: Array, right: Array) -> Array:
            return np.asarray(np.linalg.norm(right - left, axis=-1))

        within = steps(parent.positions[:, :-1], parent.positions[:, 1:])
        across = steps(parent.positions[:, -1], child.positions[:, 0])
        assert across.max() < 4 * within.max()
        np.testing.assert_array_equal(
            propagator.recorded(parent.final.take([2]))[0],
            propagator.recorded(parent.final)[2],
        )

    def test_settings_states_and_frames_travel_by_pickle(
        self, module: ModuleType, propagator: Any, case: Case
    ) -> None:
        sent = pickle.loads(
            pickle.dumps((module.Config(**STEPS, **case.settings), case.starts))
        )
        config, starts = sent
        frames = module.Propagator(config).propagate(starts, [1, 2, 3, 4])
        back = pickle.loads(pickle.dumps(frames))
        here = propagator.propagate(case.starts, [1, 2, 3, 4])
        np.testing.assert_array_equal(back.positions, here.positions)
        np.testing.assert_array_equal(back.final.velocities, here.final.velocities)

    def test_states_are_not_changed_in_place(self, propagator: Any, case: Case) -> None:
        positions = case.starts.positions.copy()
        velocities = case.starts.velocities.copy()
        propagator.propagate(case.starts, [1, 2, 3, 4])
        np.testing.assert_array_equal(positions, case.starts.positions)
        np.testing.assert_array_equal(velocities, case.starts.velocities)

    def test_a_broken_state_fails_and_its_company_does_not(
        self, propagator: Any, case: Case
    ) -> None:
        positions = case.starts.positions.copy()
        positions[1] = np.nan
        broken = States(positions, case.starts.velocities)
        frames = propagator.propagate(broken, [1, 2, 3, 4])
        assert frames.failed.tolist() == [False, True, False, False]
        whole = propagator.propagate(case.starts, [1, 2, 3, 4])
        for row in (0, 2, 3):
            np.testing.assert_allclose(
                frames.positions[row], whole.positions[row], atol=case.atol
            )

    def test_a_restart_stored_in_single_precision_goes_on(
        self, propagator: Any, case: Case
    ) -> None:
        end = propagator.propagate(case.starts, [1, 2, 3, 4]).final
        stored = States(
            end.positions.astype(np.float32).astype(float),
            end.velocities.astype(np.float32).astype(float),
        )
        exact = propagator.propagate(end, [5, 6, 7, 8])
        rounded = propagator.propagate(stored, [5, 6, 7, 8])
        assert not rounded.failed.any()
        first = np.abs(exact.positions[:, 0] - rounded.positions[:, 0])
        assert first.max() < 1e-3


@lru_cache(maxsize=1)
def _keep_warm(module: ModuleType, settings: str) -> Any:
    return module.Propagator(module.Config(**STEPS, **json.loads(settings)))


def build(module: ModuleType, case: Case) -> Any:
    """Return a propagator of its own."""
    return module.Propagator(module.Config(**STEPS, **case.settings))
