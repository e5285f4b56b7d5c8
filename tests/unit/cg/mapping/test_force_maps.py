"""Force maps: consistency, and the one of least noise."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from apps.science.arrays import Array
from apps.science.cg.dataset.file import Weights
from apps.science.cg.mapping.config import FrameChoice, MappingConfig
from apps.science.cg.mapping.force_map_fit import (
    ForceCovariance,
    choose_map,
    fit_force_map,
)
from apps.science.cg.mapping.force_maps import (
    build_force_map,
    check_force_map,
    mean_squared_force,
    optimise_force_map,
)
from apps.science.cg.mapping.mapping import (
    AtomGroup,
    Mapping,
    build_mapping,
    read_mapping,
)
from apps.science.errors import ConfigError, DataError, ShapeMismatchError, WeightError
from apps.science.segments.store import create_store


@pytest.fixture
def chain(chignolin_atoms: object) -> Mapping:
    return build_mapping(chignolin_atoms.pdb, chignolin_atoms, "calpha")  # type: ignore[attr-defined]


def draw_forces(n_frames: int, n_atoms: int, seed: int = 1) -> Array:
    """Draw forces with bonds in them: what pulls one atom pushes the next."""
    rng = np.random.default_rng(seed)
    bond = 30.0 * rng.normal(size=(n_frames, n_atoms - 1, 3))
    forces = 3.0 * rng.normal(size=(n_frames, n_atoms, 3))
    forces[:, 1:] += bond
    forces[:, :-1] -= bond
    return forces


def covariance_of(forces: Array, weights: Array | None = None) -> Array:
    gathered = ForceCovariance(forces.shape[1])
    weights = np.ones(len(forces)) if weights is None else weights
    for rows in np.array_split(np.arange(len(forces)), 3):
        gathered.add(forces[rows], weights[rows])
    return gathered.mean


@pytest.mark.random_outcome
def test_optimal_meets_both_conditions_and_is_quietest(chain: Mapping, margin) -> None:
    groups = chain.constraint_groups or []
    xi = chain.coordinate_matrix
    covariance = covariance_of(draw_forces(4000, chain.n_atoms))
    optimal = optimise_force_map(xi, groups, covariance)
    check = check_force_map(optimal, xi, groups)
    assert check.is_consistent
    assert check.deviation < 1e-6
    np.testing.assert_allclose(optimal @ xi.T, np.eye(chain.n_beads), atol=1e-6)
    unseen = covariance_of(draw_forces(4000, chain.n_atoms, seed=2))
    noise = mean_squared_force(optimal, unseen).mean()
    plain = mean_squared_force(chain.force_matrix, unseen).mean()
    margin("noise / plain", noise / plain, below=0.5)


def test_no_consistent_map_near_the_optimal_one_is_quieter(chain: Mapping) -> None:
    """Steps that keep both conditions only raise the mean squared force."""
    groups = chain.constraint_groups or []
    xi = chain.coordinate_matrix
    covariance = covariance_of(draw_forces(4000, chain.n_atoms))
    optimal = optimise_force_map(xi, groups, covariance, ridge=0.0)
    least = mean_squared_force(optimal, covariance).sum()
    rng = np.random.default_rng(3)
    outside = np.flatnonzero(xi.sum(axis=0) == 0)
    free = [a for a in outside if not any(a in g for g in groups)]
    for _ in range(20):
        step = np.zeros_like(optimal)
        step[:, free] = 0.1 * rng.normal(size=(len(step), len(free)))
        assert check_force_map(optimal + step, xi, groups).is_consistent
        assert mean_squared_force(optimal + step, covariance).sum() > least


def test_frames_without_weight_do_not_count(chain: Mapping) -> None:
    forces = draw_forces(200, chain.n_atoms)
    weights = np.repeat([1.0, 0.0], 100)
    np.testing.assert_allclose(
        covariance_of(forces, weights), covariance_of(forces[:100]), rtol=1e-12
    )


def test_mean_squared_force_is_that_of_the_mapped_forces(chain: Mapping) -> None:
    forces = draw_forces(50, chain.n_atoms)
    direct = np.square(chain.map_forces(forces)).sum(axis=2).mean(axis=0)
    np.testing.assert_allclose(
        mean_squared_force(chain.force_matrix, covariance_of(forces)), direct
    )


def test_beads_that_share_a_constraint_have_no_consistent_map() -> None:
    xi = np.eye(2, 3)
    with pytest.raises(DataError, match="Two beads share a rigid constraint"):
        optimise_force_map(xi, [[0, 1]], np.eye(3))


def test_optimal_needs_forces_of_this_system() -> None:
    with pytest.raises(DataError, match="All forces are zero"):
        optimise_force_map(np.eye(2), [], np.zeros((2, 2)))
    with pytest.raises(ShapeMismatchError, match="covers 3 atoms"):
        optimise_force_map(np.eye(2), [], np.eye(3))
    with pytest.raises(ConfigError, match="fitted to the frames"):
        build_force_map("optimal", np.eye(2), [])


def test_a_broken_condition_says_by_how_much() -> None:
    xi = np.array([[0.9, 0.1, 0.0]])
    check = check_force_map(xi, xi, [[0, 2]])
    said = check.describe("mass_average")
    assert "off the identity by up to 0.18" in said
    assert "1 constraint groups have unequal coefficients (by up to 0.9)" in said
    assert "[0.82]" in said
    assert not check_force_map(np.array([[1.0, 1.0]]), np.eye(1, 2), [[0, 1]]).describe(
        ""
    )


def write_segments(path: Path, forces: Array, weights: Array, n_iter: Array) -> Path:
    n_frames, n_atoms = forces.shape[:2]
    create_store(path, n_atoms)
    columns = {
        "positions": np.zeros_like(forces), "forces": forces, "weight": weights,
        "n_iter": n_iter, "seg_id": np.arange(n_frames), "frame": np.zeros(n_frames),
        "parent": np.zeros(n_frames), "root": np.arange(n_frames) // 10,
    }  # fmt: skip
    with h5py.File(path, "a") as h5:
        for name, values in columns.items():
            h5[name].resize(n_frames, axis=0)
            h5[name][:] = values
    return path


def test_the_stage_writes_the_map_and_how_every_map_does(
    chain: Mapping, tmp_path: Path
) -> None:
    n_frames = 600
    segments = write_segments(
        tmp_path / "segments.h5", draw_forces(n_frames, chain.n_atoms),
        np.full(n_frames, 0.01), np.repeat(np.arange(1, 7), 100),
    )  # fmt: skip
    mapping = chain.write(tmp_path / "mapping.json")
    out, report = tmp_path / "learning_mapping.json", tmp_path / "force_maps.json"
    config = MappingConfig(force_map="auto")
    choice = FrameChoice(burn_in_iterations=1)
    fit_force_map(segments, mapping, config, choice, 5, out, report)
    learning, found = read_mapping(out), json.loads(report.read_text())
    assert learning.force_map == found["chosen"] == "optimal"
    assert "is the least of the consistent force maps" in found["reason"]
    assert learning.bonds == chain.bonds
    assert found["n_training_frames"] + found["n_held_out_frames"] == 500
    assert 0 < found["n_held_out_frames"] < 100
    maps = found["maps"]
    assert set(maps) == {"constraint_sum", "sum", "slice", "mass_average", "optimal"}
    assert maps["constraint_sum"]["row_sums"] == [2, 2, 2, 2, 2, 2, 3, 2, 2, 2]
    assert (
        maps["optimal"]["mean_squared_force"]
        < (maps["constraint_sum"]["mean_squared_force"])
    )
    assert [k for k, m in maps.items() if m["is_consistent"]] == [
        "constraint_sum",
        "optimal",
    ]
    assert "10 constraint groups" in maps["slice"]["fault"]


@pytest.mark.random_outcome
def test_force_maps_are_measured_with_the_weights_that_training_uses(
    chain: Mapping, tmp_path: Path, margin
) -> None:
    """Frames whose forces are three times as strong, under a third of the weight."""
    strong = np.arange(600) % 2 == 1
    forces = draw_forces(600, chain.n_atoms) * np.where(strong, 3.0, 1.0)[:, None, None]
    segments = write_segments(
        tmp_path / "segments.h5", forces, np.full(600, 0.01),
        np.repeat(np.arange(1, 7), 100),
    )  # fmt: skip
    mapping = chain.write(tmp_path / "mapping.json")

    def measure(weights: Weights) -> dict[str, Any]:
        report = tmp_path / f"{weights}.json"
        fit_force_map(
            segments, mapping, MappingConfig(), FrameChoice(), 5,
            tmp_path / "out.json", report, weights,
        )  # fmt: skip
        return json.loads(report.read_text())

    with pytest.raises(WeightError, match="no equilibrium weights"):
        measure("equilibrium")
    with h5py.File(segments, "a") as h5:
        h5["weight_eq"] = np.where(strong, 0.25, 0.75) / 300
        h5["weight_eq"].attrs["last_iter"] = h5.attrs["last_iter"]
    raw, other = measure("raw"), measure("equilibrium")
    assert (raw["weights"], other["weights"]) == ("raw", "equilibrium")
    one, two = (m["maps"]["sum"]["mean_squared_force_training"] for m in (raw, other))
    exact = 5.0 / 3.0  # (1 + 9) / 2 to (3 + 9) / 4
    margin("ratio / exact", one / two / exact, near=1.0, within=0.1)


def test_too_few_frames_for_an_optimal_map_are_told(
    chain: Mapping, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    segments = write_segments(
        tmp_path / "segments.h5", draw_forces(12, chain.n_atoms), np.ones(12),
        np.arange(1, 13),
    )  # fmt: skip
    mapping = chain.write(tmp_path / "mapping.json")
    config = MappingConfig(force_map="optimal", ridge=0.0)
    out, report = tmp_path / "out.json", tmp_path / "maps.json"
    fit_force_map(
        segments, mapping, config, FrameChoice(split_fraction=0.5), 5, out, report
    )
    assert "noisier than constraint_sum on held-out frames" in caplog.text
    wise = config.model_copy(update={"force_map": "auto"})
    fit_force_map(
        segments, mapping, wise, FrameChoice(split_fraction=0.5), 5, out, report
    )
    found = json.loads(report.read_text())
    assert (found["asked"], found["chosen"]) == ("auto", "constraint_sum")
    assert read_mapping(out).force_groups == chain.force_groups


def measured(**noise: float | None) -> dict[str, Any]:
    """Return what ``choose_map`` reads; None is a map that is not consistent."""
    return {
        "n_held_out_frames": 100,
        "maps": {
            kind: {"mean_squared_force": value, "is_consistent": value is not None}
            for kind, value in noise.items()
        },
    }


@pytest.mark.parametrize(
    ("noise", "n_held_out", "chosen", "words"),
    [
        ({"constraint_sum": 1740.0, "sum": None, "optimal": 407.0}, 100, "optimal",
         "407.0 (kcal/mol/Å)², is the least of the consistent force maps "
         "(constraint_sum 1740.0)"),
        ({"constraint_sum": 50.0, "sum": 40.0, "optimal": 60.0}, 100, "sum", "60.0"),
        ({"constraint_sum": 50.0, "optimal": 50.0 - 1e-9}, 100, "constraint_sum",
         "forces come mapped to beads already"),
        ({"constraint_sum": 50.0, "optimal": 4.0}, 0, "constraint_sum",
         "no frame is held out"),
        ({"constraint_sum": 50.0, "sum": None}, 100, "constraint_sum", "the only"),
        ({"constraint_sum": None, "sum": None}, 100, "constraint_sum",
         "share a rigid constraint"),
    ],
)  # fmt: skip
def test_auto_takes_the_quietest_consistent_map(
    noise: dict[str, float | None], n_held_out: int, chosen: str, words: str
) -> None:
    described = measured(**noise) | {"n_held_out_frames": n_held_out}
    assert choose_map("auto", described)[0] == chosen
    assert words in choose_map("auto", described)[1]
    assert choose_map("slice", described) == ("slice", "")


def test_forces_that_come_on_beads_leave_nothing_to_choose(
    chain: Mapping, tmp_path: Path
) -> None:
    n = chain.n_beads
    own = [AtomGroup(atoms=[i], coefficients=[1.0]) for i in range(n)]
    beads = chain.model_copy(
        update={"n_atoms": n, "coordinate_groups": own, "force_groups": own,
                "constraint_groups": []}
    )  # fmt: skip
    segments = write_segments(
        tmp_path / "segments.h5", draw_forces(200, n), np.ones(200),
        np.arange(1, 201),
    )  # fmt: skip
    out, report = tmp_path / "out.json", tmp_path / "maps.json"
    mapping = beads.write(tmp_path / "mapping.json")
    fit_force_map(
        segments, mapping, MappingConfig(force_map="auto"), FrameChoice(), 5, out,
        report,
    )  # fmt: skip
    found = json.loads(report.read_text())
    assert found["chosen"] == "constraint_sum"
    assert "forces come mapped to beads already" in found["reason"]
    assert read_mapping(out).force_groups == own


def test_no_frame_left_says_what_to_lower(chain: Mapping, tmp_path: Path) -> None:
    segments = write_segments(
        tmp_path / "segments.h5", draw_forces(5, chain.n_atoms), np.ones(5), np.ones(5)
    )
    mapping = chain.write(tmp_path / "mapping.json")
    with pytest.raises(DataError, match="burn_in_iterations"):
        fit_force_map(
            segments, mapping, MappingConfig(), FrameChoice(burn_in_iterations=1), 5,
            tmp_path / "out.json", tmp_path / "maps.json",
        )  # fmt: skip


def test_the_row_sums_of_the_real_chignolin(tmp_path: Path) -> None:
    """CLN025 as it is simulated; glycine has two alpha hydrogens."""
    from openmm import app, unit

    from apps.science.systems.build import build_system
    from apps.science.systems.config import SystemConfig

    built = build_system(SystemConfig(fold="chignolin", solvent="vacuum"), 1)
    atoms = list(built.topology.atoms())
    pdb = tmp_path / "protein.pdb"
    with pdb.open("w") as handle:
        places = built.positions[0] * unit.angstrom
        app.PDBFile.writeFile(built.topology, places, handle, keepIds=True)

    class System:
        masses_amu = [a.element.mass.value_in_unit(unit.amu) for a in atoms]  # noqa: RUF012
        constraints = [  # noqa: RUF012
            built.system.getConstraintParameters(k)[:2]
            for k in range(built.system.getNumConstraints())
        ]

    mapping = build_mapping(pdb, System(), "calpha")
    sums = mapping.force_matrix.sum(axis=1)
    assert sums.tolist() == [2, 2, 2, 2, 2, 2, 3, 2, 2, 2]
    assert check_force_map(
        mapping.force_matrix, mapping.coordinate_matrix, mapping.constraint_groups or []
    ).is_consistent
