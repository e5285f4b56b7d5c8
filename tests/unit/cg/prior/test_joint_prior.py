"""One prior for several proteins, each of which counts alike."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from apps.science.arrays import Array
from apps.science.cg.mapping.mapping import Mapping
from apps.science.cg.prior.counts import FitSettings, PriorCounts
from apps.science.cg.prior.fit import fit_tables
from apps.science.cg.prior.priors import PriorConfig, PriorSource, fit_prior
from apps.science.cg.prior.tables import PriorTables
from apps.science.cg.prior.torchmd_yaml import read_tables, write_tables
from apps.science.errors import DataError, NumericalError, WeightError
from apps.science.segments.store import create_store

EVERY = PriorTables(("bonds", "angles", "dihedrals", "repulsion"), ("bonds",))
OWN = FitSettings(300.0, 0.0, shared_dihedral=False, dihedral_scale=1.0)
"""No shrinkage towards others, no shared term."""
FIRST = ["CAA", "CAG", "CAA", "CAY", "CAG", "CAA"]
SECOND = ["CAL", "CAK", "CAL", "CAL", "CAW", "CAK", "CAL"]

Build = Callable[..., Mapping]
Chains = Callable[..., Array]


@pytest.fixture
def count(bead_chain: Build, random_chains: Chains) -> Callable[..., PriorCounts]:
    """Return what counts frames of a chain of given bead types."""

    def count(
        types: list[str], settings: FitSettings = OWN, n: int = 600, scale: float = 1.0,
        stretch: float = 1.0,
    ) -> PriorCounts:  # fmt: skip
        counts = PriorCounts(bead_chain(types), EVERY, settings)
        weights = scale * np.random.default_rng(len(types)).dirichlet(np.ones(n))
        counts.add(stretch * random_chains(n, len(types), len(types)), weights)
        return counts

    return count


def numbers(tables: PriorTables) -> dict[tuple[str, ...], Array]:
    """Return every number of tables by term and types."""
    return {
        (term, *types): np.ravel(values)
        for term in ("bonds", "angles", "dihedrals", "repulsion")
        for types, values in getattr(tables, term).items()
    }


def assert_alike(one: PriorTables, two: PriorTables, among: PriorTables) -> None:
    """Compare the numbers of two tables for the entries of a third."""
    first, second = numbers(one), numbers(two)
    for key in numbers(among):
        np.testing.assert_allclose(first[key], second[key], rtol=1e-9, atol=1e-12)


def test_the_scale_of_the_weights_does_not_matter(
    count: Callable[..., PriorCounts],
) -> None:
    shrunk = replace(OWN, n_shrink=50.0)
    one, many = (fit_tables([count(FIRST, shrunk, scale=s)]) for s in (1.0, 360.0))
    assert set(numbers(one)) == set(numbers(many))
    assert_alike(one, many, one)


def test_the_same_protein_twice_is_twice_the_samples(
    count: Callable[..., PriorCounts],
) -> None:
    """The same prior as one, but for what the pooled spread is worth beside it."""
    once, worth_twice = (count(FIRST, replace(OWN, n_shrink=n)) for n in (50.0, 100.0))
    twice = fit_tables([worth_twice, count(FIRST, scale=3.0)])
    assert_alike(fit_tables([once]), twice, twice)


def test_proteins_without_a_common_type_keep_the_fits_of_their_own(
    count: Callable[..., PriorCounts],
) -> None:
    first, second = count(FIRST), count(SECOND, n=900, scale=20.0)
    joint = fit_tables([first, second])
    alone = [fit_tables([one]) for one in (first, second)]
    assert set(numbers(joint)) == set(numbers(alone[0])) | set(numbers(alone[1]))
    for one in alone:
        assert_alike(joint, one, one)


@pytest.mark.random_outcome
def test_proteins_count_alike_however_many_frames_they_have(
    count: Callable[..., PriorCounts], margin
) -> None:
    """One bond, at 3.8 in few frames and at 4.18 in many: the median lies between."""
    types = ["CAA", "CAA", "CAA"]
    few, many = count(types, n=400), count(types, n=4000, scale=50.0, stretch=1.1)
    _, length = fit_tables([few, many]).bonds["CAA", "CAA"]
    margin("length of both", length, near=0.5 * (3.8 + 4.18), within=0.12)
    _, alone = fit_tables([many]).bonds["CAA", "CAA"]
    margin("length of many", alone, near=4.18, within=0.02)


def test_types_of_one_protein_need_frames_of_that_protein(
    count: Callable[..., PriorCounts],
) -> None:
    with pytest.raises(DataError, match="only 5 frames of AAAAAAA, which alone"):
        fit_tables([count(FIRST), count(SECOND, n=5)])
    fit_tables([count(FIRST), count(FIRST, n=5)])


def test_a_protein_without_weight_is_named(count: Callable[..., PriorCounts]) -> None:
    with pytest.raises(DataError, match="above zero of AAAAAAA"):
        fit_tables([count(FIRST), count(SECOND, scale=0.0)])


@pytest.fixture
def source(
    tmp_path: Path, bead_chain: Build, random_chains: Chains
) -> Callable[..., PriorSource]:
    """Return what writes segments.h5 and mapping.json of a chain to its folder."""

    def write(
        name: str, types: list[str], kind: str = "calpha", n: int = 500
    ) -> PriorSource:
        folder = tmp_path / name
        folder.mkdir()
        positions = random_chains(8 * n, len(types), len(types))
        steps = np.diff(positions, axis=1)
        unit = steps / np.linalg.norm(steps, axis=-1, keepdims=True)
        cos = (unit[:, 1:] * unit[:, :-1]).sum(-1)
        positions = positions[(cos > -0.5).all(axis=1)][:n]
        columns = {
            "positions": positions, "forces": np.ones_like(positions),
            "weight": np.full(n, 0.1), "n_iter": 1 + np.arange(n) // 10,
            "seg_id": np.arange(n) % 10, "frame": np.zeros(n),
            "parent": np.zeros(n), "root": np.zeros(n),
        }  # fmt: skip
        create_store(folder / "segments.h5", len(types))
        with h5py.File(folder / "segments.h5", "a") as h5:
            h5.attrs["last_iter"] = n // 10
            for column, values in columns.items():
                h5[column].resize(n, axis=0)
                h5[column][:] = values
        mapping = bead_chain(types, kind).write(folder / "mapping.json")
        return PriorSource(folder / "segments.h5", mapping, folder / "prior_fit.json")

    return write


def config(**settings: Any) -> PriorConfig:
    return PriorConfig(**({"gate_steps": 1000, "gate_replicas": 2} | settings))


def read_report(source: PriorSource) -> dict[str, Any]:
    assert source.report is not None
    found: dict[str, Any] = json.loads(source.report.read_text())
    return found


def test_each_protein_is_shown_with_its_own_data(
    source: Callable[..., PriorSource], tmp_path: Path
) -> None:
    sources = [source("one", FIRST), source("two", SECOND, n=400)]
    shared = config(preset="CA_Majewski2022_v0")
    tables = read_tables(fit_prior(sources, shared, tmp_path / "prior.yaml"))
    assert set(tables.masses) == set(FIRST) | set(SECOND)
    assert {t for (t,) in tables.repulsion} == set(tables.masses)
    assert list(tables.dihedrals) == [("X",) * 4]
    for one, types, n in zip(sources, (FIRST, SECOND), (500, 400), strict=True):
        found = read_report(one)
        assert (found["n_frames"], found["n_proteins"]) == (n, 2)
        assert found["gate"]["passed"]
        shown = {r["name"]: r for r in found["terms"]["repulsion"]["types"]}
        assert set(shown) == set(types)
        for name, row in shown.items():
            sigma, _ = tables.repulsion[name,]
            assert row["parameters"]["sigma"] == pytest.approx(sigma)
            assert len(row["prior_alone"]) == len(row["x"])
        (turn,) = found["terms"]["dihedrals"]["types"]
        assert turn["parameters"]["phi_k_1"] == pytest.approx(
            tables.dihedrals[("X",) * 4][0][0]
        )


def test_the_gate_is_for_every_protein_and_names_who_fails(
    source: Callable[..., PriorSource], tmp_path: Path
) -> None:
    """Large leucines tear the bonds of the protein that has them, and of no other."""
    sources = [source("sound", FIRST), source("torn", SECOND), source("too", FIRST)]
    given = PriorTables(
        terms=("bonds", "repulsion"), exclusions=(), bonds={("X", "X"): (120.0, 3.8)},
        repulsion={(t,): (1.0, 0.01) for t in FIRST}
        | {(t,): (7.0, 3.0) for t in SECOND},
        masses=dict.fromkeys([*FIRST, *SECOND], 12.0),
    )  # fmt: skip
    asked = config(parameters=write_tables(given, tmp_path / "given.yaml"))
    with pytest.raises(NumericalError, match=r"torn/mapping\.json\): Bond CAL") as said:
        fit_prior(sources, asked, tmp_path / "prior.yaml")
    assert "sound" not in str(said.value).replace(str(tmp_path), "")
    passed = [read_report(one)["gate"]["passed"] for one in sources]
    assert passed == [True, False, True]
    assert not (tmp_path / "prior.yaml").exists()


def test_what_is_wrong_with_one_protein_names_it(
    source: Callable[..., PriorSource], tmp_path: Path
) -> None:
    sources = [source("sound", FIRST), source("broken", SECOND)]
    with h5py.File(sources[1].segments, "a") as h5:
        h5["forces"][:] = 0.0
    with pytest.raises(DataError, match=r"broken/mapping\.json\): The forces of all"):
        fit_prior(sources, config(), tmp_path / "prior.yaml")


def test_beads_of_several_kinds_are_refused(
    source: Callable[..., PriorSource], tmp_path: Path
) -> None:
    sources = [source("one", FIRST), source("two", SECOND, "custom")]
    with pytest.raises(DataError, match=r"custom beads, .* calpha\. One prior needs"):
        fit_prior(sources, config(), tmp_path / "prior.yaml")
    with pytest.raises(DataError, match="none was named"):
        fit_prior([], config(), tmp_path / "prior.yaml")


@pytest.mark.random_outcome
def test_the_prior_is_fitted_with_the_weights_that_training_uses(
    source: Callable[..., PriorSource], tmp_path: Path, margin
) -> None:
    """Half of the frames are stretched, and at equilibrium they have no weight."""
    one = source("one", FIRST, n=2000)
    asked = config(weights="equilibrium", terms=["bonds"], gate_steps=0)
    with pytest.raises(WeightError, match="no equilibrium weights: none were estim"):
        fit_prior([one], asked, tmp_path / "prior.yaml")
    stretched = np.arange(2000) % 2 == 1
    with h5py.File(one.segments, "a") as h5:
        positions = h5["positions"][:]
        positions[stretched] *= 1.05
        h5["positions"][:] = positions
        h5["weight_eq"] = np.where(stretched, 0.0, 1.0 / 1000)
        h5["weight_eq"].attrs["last_iter"] = h5.attrs["last_iter"]
    lengths, said = [], []
    for weights in ("raw", "equilibrium"):
        fitted = config(weights=weights, terms=["bonds"], gate_steps=0)
        tables = read_tables(fit_prior([one], fitted, tmp_path / "prior.yaml"))
        lengths.append(np.mean([r0 for _, r0 in tables.bonds.values()]))
        said.append(read_report(one)["weights"])
    assert said == ["raw", "equilibrium"]
    margin("equilibrium: length", lengths[1], near=3.8, within=0.02)
    margin("raw: length", lengths[0], near=1.025 * 3.8, within=0.04)
