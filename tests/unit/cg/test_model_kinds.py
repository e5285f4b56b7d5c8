"""Trained models, priors and Go models as they are judged: the right protein only."""

import numpy as np
import pytest
import torch

from apps.science.benchmark.model_kinds import (
    GoModel,
    PriorAlone,
    TrainedModel,
)
from apps.science.benchmark.plain_dynamics import RunSettings
from apps.science.benchmark.reference_set import ReferenceSet
from apps.science.cg.checkpoint import write_checkpoint
from apps.science.cg.prior.tables import PriorTables
from apps.science.cg.prior.torchmd_yaml import write_tables
from apps.science.errors import ConfigError, DataError, ShapeMismatchError
from apps.science.files import hash_file
from apps.science.models.potentials.base import build_network, read_config
from apps.science.segments.frames import WeightedFrames

N = 6
SHORT = RunSettings(
    n_ps=1.0, frame_interval_ps=0.1, n_replicas=5, timestep_fs=2.0, device="cpu"
)


def make_helix():
    turn = np.radians(100.0) * np.arange(N)
    return np.stack([2.3 * np.cos(turn), 2.3 * np.sin(turn), 1.5 * np.arange(N)], 1)


@pytest.fixture
def reference(tmp_path, bead_chain) -> ReferenceSet:
    x = make_helix() + 0.2 * np.random.default_rng(0).normal(size=(50, N, 3))
    index = np.zeros(50, int)
    frames = WeightedFrames(
        x.astype("f4"), np.ones(50), index, index, np.arange(1.0, 51)
    )
    np.save(tmp_path / "native.npy", make_helix())
    return ReferenceSet(
        frames.write(tmp_path / "frames.h5"),
        bead_chain(["CAA"] * N).write(tmp_path / "mapping.json"),
        native=tmp_path / "native.npy",
        temperature_kelvin=320.0,
    )


@pytest.fixture
def write_model(tmp_path, bead_chain):
    """Return what writes a checkpoint of a chain of these bead types."""
    tables = PriorTables(
        ("bonds",), ("bonds",), bonds={("X", "X"): (75.0, 3.8)},
        masses={"CAA": 12.0, "CAG": 12.0},
    )  # fmt: skip
    prior = write_tables(tables, tmp_path / "prior.yaml")

    def write(*chains):
        torch.manual_seed(0)
        config = read_config(
            {"kind": "cgschnet", "embedding_dimension": 16, "num_layers": 1}
        )
        proteins = {}
        for k, types in enumerate(chains):
            path = bead_chain(types).write(tmp_path / f"m{k}.json")
            proteins[f"protein_{k}"] = {
                "prior_yaml": prior.read_text(), "mapping_json": path.read_text(),
                "prior_sha256": hash_file(prior), "residues": "",
            }  # fmt: skip
        return write_checkpoint(
            tmp_path / "best.pt", config.model_dump(),
            build_network(config).state_dict(), proteins=proteins,
        )  # fmt: skip

    write.prior = prior
    return write


@pytest.mark.random_outcome
def test_replicas_begin_at_the_reference_and_keep_their_order(
    reference, write_model, tmp_path, margin
) -> None:
    model = TrainedModel(write_model(["CAA"] * (N + 2), ["CAA"] * N))
    model.check(reference)
    frames = model.make_frames(reference, SHORT, tmp_path)
    assert frames.positions.shape == (50, N, 3)
    assert np.isfinite(frames.positions).all()
    assert frames.trajectory.tolist() == np.repeat(np.arange(5), 10).tolist()
    np.testing.assert_allclose(frames.time_ps[:10], 0.1 * np.arange(1, 11))
    # after a tenth of a ps each is still near a frame of the reference
    bonds = np.linalg.norm(np.diff(frames.positions, axis=1), axis=-1)
    margin("bonds, Angstrom", bonds.mean(), above=3.0, below=4.6)
    again = model.make_frames(reference, SHORT, tmp_path)
    np.testing.assert_array_equal(frames.positions, again.positions)


def test_a_model_of_another_protein_is_refused(reference, write_model) -> None:
    for chain in (["CAA"] * (N + 1), ["CAG"] * N):
        with pytest.raises(ShapeMismatchError, match=r"protein_0 .*; the reference"):
            TrainedModel(write_model(chain)).check(reference)


def test_an_old_checkpoint_needs_its_prior(reference, write_model) -> None:
    old = write_model()
    with pytest.raises(DataError, match="--prior"):
        TrainedModel(old).check(reference)
    TrainedModel(old, write_model.prior).check(reference)


def test_a_prior_that_lacks_a_bead_is_refused(reference, tmp_path) -> None:
    tables = PriorTables(("bonds",), ("bonds",), bonds={("CAG", "CAG"): (75.0, 3.8)})
    other = write_tables(tables, tmp_path / "other.yaml")
    with pytest.raises(DataError, match="no bond parameters for CAA - CAA"):
        PriorAlone(other).check(reference)


@pytest.mark.random_outcome
def test_a_go_model_stays_near_its_native(reference, tmp_path, margin) -> None:
    from apps.science.metrics.conformations._geometry import measure_rmsd

    frames = GoModel(3.0).make_frames(reference, SHORT, tmp_path)
    rmsd = measure_rmsd(frames.positions, make_helix()).mean()
    margin("RMSD, Angstrom", rmsd, below=1.0)


def test_a_go_model_needs_a_native(reference) -> None:
    without = ReferenceSet(reference.frames, reference.mapping)
    with pytest.raises(ConfigError, match="--native"):
        GoModel().check(without)
