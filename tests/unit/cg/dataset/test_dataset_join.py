"""Several proteins in one training set."""

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from pydantic import ValidationError

from apps.science.cg.dataset.join import join_datasets
from apps.science.cg.dataset.write import DatasetConfig, Source, write_datasets
from apps.science.errors import DataError
from apps.science.tasks.force_matching.data import read_training_data

Write = Callable[..., Path]


@pytest.fixture
def two(tmp_path: Path, make_run: Callable[..., Path]) -> tuple[Path, Path]:
    """Return the folders of two chains, 5 and 7 beads, of one prior."""
    one, other = make_run(tmp_path / "a", 5), make_run(tmp_path / "b", 7)
    shutil.copyfile(one / "prior.yaml", other / "prior.yaml")
    return one, other


def test_sets_are_joined_frame_by_frame(two, write: Write, tmp_path: Path) -> None:
    sources = [write(two[0], molecule="five"), write(two[1], molecule="seven")]
    out = join_datasets(sources, tmp_path / "joined.h5")
    data = read_training_data(out)
    assert [p.key for p in data.proteins] == ["five", "seven"]
    for protein, source in zip(data.proteins, sources, strict=True):
        own = read_training_data(source)
        for split in ("train", "validation"):
            joined, alone = getattr(protein, split), getattr(own, split)
            np.testing.assert_array_equal(joined.positions, alone.positions)
            np.testing.assert_array_equal(joined.targets, alone.targets)
            np.testing.assert_array_equal(joined.weight, alone.weight)
        assert protein.mapping_json == own.proteins[0].mapping_json
    with h5py.File(out) as h5:
        assert h5["meta"].attrs["prior_sha256"] == data.proteins[0].prior_sha256
        assert h5["meta"].attrs["schema"] == "weft-dataset-2"


def test_a_campaign_joins_the_runs_that_it_names(two, write: Write) -> None:
    one, other = two
    (one / "cg").mkdir()
    write(one, molecule="five").rename(one / "cg" / "dataset.h5")
    path = write(other, molecule="seven", join=[one])
    assert [p.key for p in read_training_data(path).proteins] == ["five", "seven"]


def test_several_runs_are_written_into_one_set(two, tmp_path: Path) -> None:
    sources = [
        Source(name, f / "segments.h5", f / "mapping.json", f / "prior.yaml")
        for name, f in zip(("five", "seven"), two, strict=True)
    ]
    out = write_datasets(sources, DatasetConfig(), 5, tmp_path / "both.h5")
    sizes = [p.train.positions.shape[1] for p in read_training_data(out).proteins]
    assert sizes == [5, 7]
    with pytest.raises(DataError, match="need names of their own; found five, five"):
        write_datasets([sources[0]] * 2, DatasetConfig(), 5, tmp_path / "both.h5")


def test_names_may_be_given(two, write: Write, tmp_path: Path) -> None:
    sources = [write(two[0]), write(two[1])]
    with pytest.raises(DataError, match="Two molecules are called 0"):
        join_datasets(sources, tmp_path / "joined.h5")
    out = join_datasets(sources, tmp_path / "joined.h5", ["x", "y"])
    assert [p.key for p in read_training_data(out).proteins] == ["x", "y"]
    with pytest.raises(DataError, match="1 names were given for 2"):
        join_datasets(sources, tmp_path / "joined.h5", ["x"])


def test_code_for_one_protein_refuses_two(two, write: Write, tmp_path: Path) -> None:
    out = join_datasets([write(f) for f in two], tmp_path / "joined.h5", ["x", "y"])
    with pytest.raises(DataError, match=r"holds 2 proteins \(x, y\)"):
        _ = read_training_data(out).embeddings


def test_another_prior_is_refused_unless_it_is_meant(
    tmp_path: Path, make_run: Callable[..., Path], write: Write
) -> None:
    sources = [write(make_run(tmp_path / n, k)) for n, k in (("a", 5), ("b", 7))]
    with pytest.raises(DataError, match=r"y of .* made with the prior .*one_prior"):
        join_datasets(sources, tmp_path / "joined.h5", ["x", "y"])
    assert not (tmp_path / "joined.h5").exists()
    out = join_datasets(sources, tmp_path / "joined.h5", ["x", "y"], one_prior=False)
    x, y = read_training_data(out).proteins
    assert x.prior_sha256 != y.prior_sha256
    with h5py.File(out) as h5:
        assert "prior_sha256" not in h5["meta"].attrs


def test_another_temperature_is_refused(
    tmp_path: Path, make_run: Callable[..., Path], write: Write
) -> None:
    sources = [
        write(make_run(tmp_path / name, 5, kelvin))
        for name, kelvin in (("a", 300.0), ("b", 350.0))
    ]
    with pytest.raises(DataError, match="sampled at 350 K, x at 300"):
        join_datasets(sources, tmp_path / "j.h5", ["x", "y"], one_prior=False)


def test_sets_of_other_weights_or_versions_are_refused(
    two, write: Write, tmp_path: Path
) -> None:
    sources = [write(two[0], molecule="five"), write(two[1], molecule="seven")]
    with h5py.File(sources[1], "r+") as h5:
        h5["meta"].attrs["weights"] = "equilibrium"
    with pytest.raises(DataError, match=r"has weights equilibrium, the set .* raw"):
        join_datasets(sources, tmp_path / "joined.h5")
    with h5py.File(sources[1], "r+") as h5:
        h5["meta"].attrs["schema"] = "weft-dataset-1"
    with pytest.raises(DataError, match="can be trained on but not joined"):
        join_datasets(sources, tmp_path / "joined.h5")
    with pytest.raises(DataError, match="does not exist"):
        join_datasets([tmp_path / "nowhere.h5"], tmp_path / "joined.h5")


def test_a_protein_that_is_joined_needs_a_name(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"dataset\.molecule: chignolin"):
        DatasetConfig(join=[tmp_path])


def test_runs_to_join_are_looked_for_beside_the_campaign_file(tmp_path: Path) -> None:
    config = DatasetConfig.model_validate(
        {"molecule": "x", "join": ["runs/other"]}, context={"folder": tmp_path}
    )
    assert config.join == [tmp_path / "runs" / "other"]
