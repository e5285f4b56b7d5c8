"""``weft data`` says what is in a file, in words and as JSON, at any width."""

import io
import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from rich.console import Console

from apps.science.cg.dataset.file import SCHEMA
from apps.science.errors import DataError
from apps.science.segments.store import create_store, open_store
from apps.science.segments.weight_facts import count_decades, describe_weights
from campaign.commands.data import bar, describe, show

N = 400
HASH = "0123456789abcdef" * 4


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a run folder with frames of weights over 20 decades, half of them zero."""
    rng = np.random.default_rng(1)
    weight = 10.0 ** rng.uniform(-20, 0, N)
    equilibrium = np.where(np.arange(N) < N // 2, 0.0, weight)
    store = tmp_path / "segments.h5"
    create_store(store, 4)
    columns = {
        "weight": weight, "n_iter": np.repeat([1, 2], N // 2),
        "frame": np.arange(N) % 2,
        "seg_id": np.tile(np.arange(N // 4).repeat(2), 2), "parent": np.zeros(N),
        "root": np.arange(N) % 7, "positions": np.zeros((N, 4, 3)),
        "forces": np.zeros((N, 4, 3)),
    }  # fmt: skip
    with open_store(store, "r+") as h5:
        h5.attrs["last_iter"] = 2
        for name, values in columns.items():
            h5[name].resize(np.shape(values))
            h5[name][:] = values
        h5["weight_eq"] = equilibrium
        h5["weight_eq"].attrs.update(
            {"distance": 0.4, "tolerated_distance": 0.1, "last_iter": 2}
        )
    (tmp_path / "cg").mkdir()
    with h5py.File(tmp_path / "cg" / "dataset.h5", "w") as h5:
        h5.create_group("meta").attrs.update(
            {"schema": SCHEMA, "units": "Angstrom, kcal/mol/Angstrom, amu, K",
             "weights": "raw"}
        )  # fmt: skip
        for name, n_beads in (("chignolin", 10), ("trp-cage", 20)):
            group = h5.create_group(f"mol/{name}")
            group.attrs.update(
                {
                    "sequence": "YYDPETGTWY", "beads": "calpha", "prior_sha256": HASH,
                    "force_map": "constraint_sum", "temperature_kelvin": 340.0,
                    "split_by": "lineage", "n_source_frames": 2 * N,
                    "burn_in_iterations": 3, "weight_cutoff": 1e-9,
                    "discarded_mass": 0.015,
                    "weight_eq_absent": "the run has targets, and no equilibrium.",
                }
            )  # fmt: skip
            group["z"] = np.arange(n_beads)
            group["weight"] = weight
            group["split"] = (np.arange(N) >= 380).astype("i1")
            for column in ("n_iter", "root"):
                group[column] = columns[column]
    return tmp_path


def shown(path: Path, width: int) -> str:
    out = io.StringIO()
    show(path, Console(file=out, width=width, highlight=False))
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_every_line_fits_and_says_what_there_is(run: Path, width: int) -> None:
    text = shown(run, width)
    # paths of the test's folder may be longer than the terminal
    assert all(len(line) <= width for line in text.splitlines() if str(run) not in line)
    for said in (
        "400 in 200 segments", "1 to 2", "has NOT relaxed", "380 train, 20 validate",
        "training set of 2 proteins", "10 calpha", "340 K", HASH, "constraint_sum",
        "none: the run has targets", "400 of 800: without 3 iterations of burn-in",
        "weft-segments-2", SCHEMA, "Angstrom, kcal/mol/Angstrom, amu, K", "(in use)",
        "equilibrium weights, in units of their mean",
    ):  # fmt: skip
        assert " ".join(said.split()) in " ".join(text.split()), said


def test_json_holds_the_same(run: Path) -> None:
    weft = Path(sys.executable).with_name("weft")
    answer = subprocess.run(
        [weft, "data", run, "--json"], capture_output=True, text=True, check=True
    )
    store, dataset = json.loads(answer.stdout)
    assert store == json.loads(json.dumps(describe(run / "segments.h5")))[0]
    assert (store["kind"], store["n_frames"], store["last_iter"]) == ("segments", N, 2)
    assert store["equilibrium"]["n_zero"] == N // 2
    assert [p["n_train"] for p in dataset["proteins"]] == [380, 380]
    assert len(store["sha256"]) == 64


def test_effective_number_and_largest_weight_are_those_of_the_weights() -> None:
    facts = describe_weights(np.array([3.0, 1.0, 0.0, 0.0]))
    assert facts["ess"] == pytest.approx(16 / 10)
    assert (facts["largest"], facts["n_zero"]) == (3.0, 2)
    assert facts["largest_share"] == 0.75
    tiny = describe_weights(np.full(5, 1e-250))
    assert tiny["ess"] == pytest.approx(5.0)


def test_the_histogram_counts_every_frame_and_all_weight() -> None:
    weight = 10.0 ** np.random.default_rng(2).uniform(-40, 2, 1000)
    bins = count_decades(weight)
    assert len(bins) <= 12
    assert sum(b["n_frames"] for b in bins) == 1000
    assert sum(b["weight_share"] for b in bins) == pytest.approx(1.0)
    for one in bins:
        inside = (np.log10(weight) >= one["from_log10"]) & (
            np.log10(weight) < one["to_log10"]
        )
        assert inside.sum() == one["n_frames"]
    assert count_decades(np.ones(3))[0]["n_frames"] == 3


def test_a_bar_fills_its_width_and_never_hides_what_is_there() -> None:
    assert bar(1.0, 6) == "██████"
    assert bar(0.0, 6) == " " * 6
    assert bar(1e-9, 6).strip() == "▏"
    assert bar(0.5, 5) == "██▌  "


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere.h5", "does not exist"),
        ("notes.txt", "cannot be read as HDF5"),
        ("empty", "has neither segments.h5 nor cg/dataset.h5"),
        ("other.h5", "was not written by weft"),
        ("part.h5", "is incomplete"),
    ],
)
def test_what_is_no_data_is_refused(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("hello")
    h5py.File(tmp_path / "other.h5", "w").close()
    with h5py.File(tmp_path / "part.h5", "w") as h5:
        h5.create_group("meta").attrs["schema"] = SCHEMA
    with pytest.raises(DataError, match=words):
        describe(tmp_path / name)
