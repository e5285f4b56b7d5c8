"""Frames that no force field can be learnt from are refused before training."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from apps.science.arrays import Array
from apps.science.cg.dataset.frame_checks import FrameCheck, check_bond_lengths
from apps.science.cg.internal_coordinates import measure_distances
from apps.science.cg.mapping.mapping import Mapping
from apps.science.cg.prior.priors import PriorConfig, PriorSource, fit_prior
from apps.science.cg.prior.tables import Term
from apps.science.errors import DataError, NumericalError, ShapeMismatchError
from apps.science.segments.store import create_store

Chains = Callable[..., Array]
N_FRAMES = 300


@pytest.fixture
def run(octamer: Mapping, random_chains: Chains, tmp_path: Path) -> Callable[..., Path]:
    """Fit a prior to frames of eight beads, altered by the test."""

    def fit(
        positions: Array | None = None,
        forces: Array | None = None,
        n_frames: int = N_FRAMES,
        terms: tuple[Term, ...] = ("bonds",),
    ) -> Path:
        if positions is None:
            positions = random_chains(n_frames, 8)
        if forces is None:
            forces = 20.0 * np.random.default_rng(1).normal(size=positions.shape)
        path = tmp_path / "segments.h5"
        create_store(path, positions.shape[1])
        columns = {
            "positions": positions, "forces": forces,
            "weight": np.full(n_frames, 0.1), "n_iter": 1 + np.arange(n_frames) // 10,
            "seg_id": np.arange(n_frames) % 10, "frame": np.full(n_frames, 4),
            "parent": np.zeros(n_frames), "root": np.zeros(n_frames),
        }  # fmt: skip
        with h5py.File(path, "a") as h5:
            for name, values in columns.items():
                h5[name].resize(n_frames, axis=0)
                h5[name][:] = values
        mapping = octamer.write(tmp_path / "mapping.json")
        config = PriorConfig(terms=list(terms), gate_steps=0)
        return fit_prior([PriorSource(path, mapping)], config, tmp_path / "prior.yaml")

    return fit


def test_sound_frames_pass(run: Callable[..., Path]) -> None:
    assert run().exists()


def test_forces_that_are_all_zero_are_refused(run: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match="all of 300 frames are zero"):
        run(forces=np.zeros((N_FRAMES, 8, 3)))


def test_forces_of_some_frames_that_are_zero_are_counted(
    run: Callable[..., Path],
) -> None:
    forces = np.ones((N_FRAMES, 8, 3))
    forces[10:15] = 0.0
    with pytest.raises(DataError, match="forces of 5 of 300 frames"):
        run(forces=forces)


def test_missing_forces_are_refused(
    run: Callable[..., Path], octamer: Mapping, tmp_path: Path
) -> None:
    run()
    with h5py.File(tmp_path / "segments.h5", "a") as h5:
        del h5["forces"]
    source = PriorSource(tmp_path / "segments.h5", tmp_path / "mapping.json")
    with pytest.raises(DataError, match="has no forces"):
        fit_prior([source], PriorConfig(), tmp_path / "prior.yaml")


@pytest.mark.parametrize("what", ["positions", "forces"])
def test_a_frame_that_is_not_finite_is_named(
    run: Callable[..., Path], random_chains: Chains, what: str
) -> None:
    values = random_chains(N_FRAMES, 8)
    values[123, 4] = np.nan
    with pytest.raises(
        NumericalError, match=r"1 frames.*frame 4 of segment 3 in iteration 13"
    ):
        run(**{what: values})


@pytest.mark.parametrize(
    ("factor", "advice"),
    [(0.1, "in nm: multiply them by 10"), (10.0, "once too often"),
     (0.529, "Check the unit")],
)  # fmt: skip
def test_coordinates_in_another_unit_are_refused(
    run: Callable[..., Path], random_chains: Chains, factor: float, advice: str
) -> None:
    with pytest.raises(DataError, match=advice):
        run(positions=factor * random_chains(N_FRAMES, 8))


def test_forces_in_openmm_units_are_refused(run: Callable[..., Path]) -> None:
    forces = 41.84 * 20.0 * np.random.default_rng(2).normal(size=(N_FRAMES, 8, 3))
    with pytest.raises(DataError, match=r"divided by 41\.84"):
        run(forces=forces)


def test_coordinates_of_another_topology_name_the_bonds(
    run: Callable[..., Path], random_chains: Chains
) -> None:
    swapped = random_chains(N_FRAMES, 8)[:, [0, 1, 2, 7, 4, 5, 6, 3]]
    with pytest.raises(DataError, match=r"does not match.*CA of ALA 3 and CA of ALA 4"):
        run(positions=swapped)


def test_another_number_of_atoms_is_refused(
    run: Callable[..., Path], random_chains: Chains
) -> None:
    with pytest.raises(ShapeMismatchError, match=r"9 atoms a frame but .* covers 8"):
        run(positions=random_chains(N_FRAMES, 9))


@pytest.mark.parametrize(
    ("term", "message"),
    [("bonds", "bonds term has 14 parameters"),
     ("angles", "angles term has 12 parameters"),
     ("repulsion", "repulsion term has 10 parameters")],
)  # fmt: skip
def test_fewer_frames_than_parameters_are_refused(
    run: Callable[..., Path], term: Term, message: str
) -> None:
    with pytest.raises(DataError, match=f"{message}.*only 9 frames"):
        run(n_frames=9, terms=(term,))


def test_a_cis_proline_is_no_fault(octamer: Mapping, random_chains: Chains) -> None:
    lengths = measure_distances(random_chains(50, 8), octamer.bonds)
    lengths[:, 3] = 2.95
    check_bond_lengths(lengths, octamer)


def test_single_frames_of_unknown_origin_are_counted(
    octamer: Mapping, random_chains: Chains
) -> None:
    check = FrameCheck(octamer)
    frames = random_chains(6, 8)
    check.add({"positions": frames, "forces": frames}, frames)
    frames[2] = np.inf
    with pytest.raises(NumericalError, match="the first is frame 8"):
        check.add({"positions": frames, "forces": frames}, frames)
