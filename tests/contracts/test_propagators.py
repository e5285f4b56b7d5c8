"""One suite over every propagator: what the weighted-ensemble engine relies on.

To add a propagator, add its file to apps/science/propagators/ and a builder below.
"""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from apps.science.plugins import list_kinds, load_kind
from apps.science.propagators.base import Propagator, States

PACKAGE = "apps.science.propagators"
N_FRAMES, N_STEPS_PER_FRAME = 3, 5
STEPS = {
    "n_steps": N_FRAMES * N_STEPS_PER_FRAME,
    "n_steps_per_frame": N_STEPS_PER_FRAME,
}


@dataclass(frozen=True)
class Case:
    """A propagator's settings, good starts, and how far packing may move a result."""

    settings: dict[str, Any]
    starts: States
    atol: float = 0.0


Builder = Callable[[Path, Path], Case]


def build_toy(_alanine: Path, _folder: Path) -> Case:
    positions = np.tile([[[1.0, 0.0, 0.0]]], (4, 1, 1))
    return Case({"dynamics": "underdamped"}, States(positions, np.zeros((4, 1, 3))))


def build_brownian(_alanine: Path, _folder: Path) -> Case:
    positions = np.tile([[[-0.5, 0.9, 0.0]]], (4, 1, 1))
    settings = {"dynamics": "overdamped", "potential": "mueller_brown"}
    return Case(settings, States(positions, np.zeros((4, 1, 3))))


def build_openmm(alanine: Path, _folder: Path) -> Case:
    from apps.science.systems.info import read_starts

    starts = read_starts(alanine)
    states = States(starts.positions, starts.velocities).take([0] * 4)
    return Case({"system_dir": str(alanine)}, states)


def build_cg(alanine: Path, folder: Path) -> Case:
    from apps.science.cg.mapping.mapping import build_mapping
    from apps.science.cg.prior.tables import PriorTables
    from apps.science.cg.prior.torchmd_yaml import write_tables
    from apps.science.systems.info import read_starts, read_system_info

    info = read_system_info(alanine)
    mapping = build_mapping(alanine / "protein.pdb", info, "backbone")
    tables = PriorTables(
        terms=("bonds",),
        exclusions=("bonds",),
        bonds={("X", "X"): (100.0, 1.4)},
        masses=dict(zip(mapping.types, mapping.masses_amu, strict=True)),
        temperature_kelvin=300.0,
    )
    beads = mapping.map_positions(read_starts(alanine).positions)
    settings = {
        "mapping": str(mapping.write(folder / "mapping.json")),
        "prior": str(write_tables(tables, folder / "prior.yaml")),
        "timestep_fs": 1.0,
        "device": "cpu",
    }
    states = States(np.tile(beads[:1], (4, 1, 1)), np.zeros((4, mapping.n_beads, 3)))
    # compiled dynamics does not depend on the packing to the last bit
    return Case(settings, states)


def build_exact(alanine: Path, folder: Path) -> Case:
    case = build_cg(alanine, folder)
    return Case(case.settings | {"inference": "exact"}, case.starts, atol=1e-5)


def build_overdamped(alanine: Path, folder: Path) -> Case:
    case = build_cg(alanine, folder)
    without_inertia = {"dynamics": "overdamped", "friction_per_ps": 50.0}
    return Case(case.settings | without_inertia, case.starts)


# ---- A new propagator registers its builder here, under its kind; where it has ----
# ---- several modes, a word more names each. ----
BUILDERS: dict[str, Builder] = {
    "cg": build_cg,
    "cg exact": build_exact,
    "cg overdamped": build_overdamped,
    "openmm": build_openmm,
    "toy": build_toy,
    "toy overdamped": build_brownian,
}


def test_every_propagator_has_a_builder_here() -> None:
    assert set(list_kinds(PACKAGE)) == {name.split()[0] for name in BUILDERS}


@pytest.fixture(scope="module", params=sorted(BUILDERS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def kind(name: str) -> str:
    return name.split(maxsplit=1)[0]


@pytest.fixture(scope="module")
def case(
    name: str, alanine_system: Path, tmp_path_factory: pytest.TempPathFactory
) -> Case:
    folder = tmp_path_factory.mktemp(name.replace(" ", "_"))
    return BUILDERS[name](alanine_system, folder)


@pytest.fixture(scope="module")
def module(kind: str) -> ModuleType:
    return load_kind(PACKAGE, kind)


@pytest.fixture(scope="module")
def propagator(module: ModuleType, case: Case) -> Propagator:
    return build(module, case)


def build(module: ModuleType, case: Case) -> Propagator:
    made: Propagator = module.Propagator(module.Config(**STEPS, **case.settings))
    return made


def test_the_kind_is_the_files_name_and_unknown_keys_are_refused(
    kind: str, module: ModuleType, case: Case
) -> None:
    assert module.Config(**STEPS, **case.settings).kind == kind
    with pytest.raises(ValidationError, match="Extra inputs"):
        module.Config(**STEPS, **case.settings, no_such_setting=1)


def test_a_segment_is_a_whole_number_of_frames(module: ModuleType, case: Case) -> None:
    assert module.Config(**STEPS, **case.settings).n_frames == N_FRAMES
    with pytest.raises(ValidationError, match="whole number of frames"):
        module.Config(n_steps=16, n_steps_per_frame=5, **case.settings)


def test_shapes_and_types(propagator: Propagator, case: Case) -> None:
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


def test_the_last_frame_is_the_end_point(propagator: Propagator, case: Case) -> None:
    frames = propagator.propagate(case.starts, [1, 2, 3, 4])
    np.testing.assert_allclose(
        frames.positions[:, -1], propagator.recorded(frames.final), atol=1e-4
    )


def test_the_same_seed_gives_the_same_bits_in_a_new_process_too(
    module: ModuleType, propagator: Propagator, case: Case
) -> None:
    first = propagator.propagate(case.starts, [1, 2, 3, 4])
    again = propagator.propagate(case.starts, [1, 2, 3, 4])
    fresh = build(module, case).propagate(case.starts, [1, 2, 3, 4])
    for other in (again, fresh):
        np.testing.assert_array_equal(first.positions, other.positions)
        np.testing.assert_array_equal(first.final.velocities, other.final.velocities)


def test_noise_comes_from_the_seed(propagator: Propagator, case: Case) -> None:
    frames = propagator.propagate(case.starts, [1, 2, 1, 2**62])
    assert (frames.positions[0] != frames.positions[1]).any()
    assert (frames.positions[0] != frames.positions[3]).any()
    np.testing.assert_allclose(frames.positions[0], frames.positions[2], atol=case.atol)


def test_place_and_company_in_the_block_do_not_matter(
    propagator: Propagator, case: Case
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
    module: ModuleType, propagator: Propagator, case: Case
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
    propagator: Propagator, case: Case
) -> None:
    parent = propagator.propagate(case.starts, [1, 2, 3, 4])
    child = propagator.propagate(parent.final, [5, 6, 7, 8])

    def steps(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return np.linalg.norm(right - left, axis=-1)

    within = steps(parent.positions[:, :-1], parent.positions[:, 1:])
    across = steps(parent.positions[:, -1], child.positions[:, 0])
    assert across.max() < 4 * within.max()
    np.testing.assert_array_equal(
        propagator.recorded(parent.final.take([2]))[0],
        propagator.recorded(parent.final)[2],
    )


def test_settings_states_and_frames_travel_by_pickle(
    module: ModuleType, propagator: Propagator, case: Case
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


def test_states_are_not_changed_in_place(propagator: Propagator, case: Case) -> None:
    positions = case.starts.positions.copy()
    velocities = case.starts.velocities.copy()
    propagator.propagate(case.starts, [1, 2, 3, 4])
    np.testing.assert_array_equal(positions, case.starts.positions)
    np.testing.assert_array_equal(velocities, case.starts.velocities)


def test_a_broken_state_fails_and_its_company_does_not(
    propagator: Propagator, case: Case
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
    propagator: Propagator, case: Case
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
