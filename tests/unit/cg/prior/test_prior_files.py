"""From frames to prior.yaml and prior_fit.json, fitted or with given numbers."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from pydantic import ValidationError

from apps.science.arrays import Array
from apps.science.cg.mapping.mapping import Mapping
from apps.science.cg.prior.priors import (
    PriorConfig,
    PriorSource,
    choose_preset,
    fit_prior,
)
from apps.science.cg.prior.tables import PriorTables
from apps.science.cg.prior.torchmd_yaml import read_tables, write_tables
from apps.science.errors import NumericalError
from apps.science.segments.store import create_store
from apps.science.units import thermal_energy

KT = thermal_energy(300.0)


@pytest.fixture
def frames(random_chains: Callable[..., Array]) -> Array:
    """Chains without bends sharper than 60 degrees, so that nothing overlaps."""
    drawn = random_chains(4000, 8, 8)
    steps = np.diff(drawn, axis=1)
    unit = steps / np.linalg.norm(steps, axis=-1, keepdims=True)
    cos = (unit[:, 1:] * unit[:, :-1]).sum(-1)
    return drawn[(cos > -0.5).all(axis=1)][:900]


@pytest.fixture
def segments(frames: Array, tmp_path: Path) -> Path:
    n = len(frames)
    path = tmp_path / "segments.h5"
    create_store(path, 8)
    columns = {
        "positions": frames, "forces": np.ones_like(frames), "weight": np.full(n, 0.1),
        "n_iter": 1 + np.arange(n) // 10, "seg_id": np.arange(n) % 10,
        "frame": np.zeros(n), "parent": np.zeros(n), "root": np.zeros(n),
    }  # fmt: skip
    with h5py.File(path, "a") as h5:
        for name, values in columns.items():
            h5[name].resize(n, axis=0)
            h5[name][:] = values
    return path


def fit(segments: Path, chain: Mapping, **settings: Any) -> tuple[Path, dict[str, Any]]:
    folder = segments.parent
    report = folder / "prior_fit.json"
    config = PriorConfig(**({"gate_steps": 2000, "gate_replicas": 2} | settings))
    source = PriorSource(segments, chain.write(folder / "mapping.json"), report)
    prior = fit_prior([source], config, folder / "prior.yaml")
    return prior, json.loads(report.read_text())


def test_data_and_fit_lie_side_by_side(segments: Path, octamer: Mapping) -> None:
    _, found = fit(segments, octamer)
    assert found["gate"]["passed"]
    assert set(found["terms"]) == {"bonds", "angles", "dihedrals", "repulsion"}
    bonds = found["terms"]["bonds"]["types"]
    kinds = {tuple(octamer.types[i] for i in b) for b in octamer.bonds}
    assert len(bonds) == len(kinds)
    for row in bonds:
        x, data, drawn = (np.array(row[k]) for k in ("x", "data", "fit"))
        width = x[1] - x[0]
        assert data.sum() * width == pytest.approx(1.0, abs=1e-3)
        assert drawn.sum() * width == pytest.approx(1.0, abs=1e-3)
        assert (x * data).sum() * width == pytest.approx(3.8, abs=0.02)
        assert np.abs(data - drawn).sum() * width < 0.4  # one law, 900 frames
        assert row["parameters"]["k0"] == pytest.approx(KT / (2 * 0.076**2), rel=0.2)
        assert len(row["prior_alone"]) == len(x)


def test_fitted_twice_is_the_same_prior(segments: Path, octamer: Mapping) -> None:
    first = fit(segments, octamer)[0].read_text()
    assert fit(segments, octamer)[0].read_text() == first


def given_tables(chain: Mapping) -> PriorTables:
    kinds = sorted(set(chain.types))
    return PriorTables(
        terms=("bonds", "repulsion"),
        exclusions=("bonds", "angles", "1-4"),
        bonds={("X", "X"): (120.0, 3.8)},
        repulsion={(t,): (3.6, 0.2) for t in kinds},
        masses=dict.fromkeys(kinds, 12.0),
    )


def test_given_numbers_keep_their_own_terms(
    segments: Path, octamer: Mapping, tmp_path: Path
) -> None:
    given = write_tables(given_tables(octamer), tmp_path / "published.yaml")
    prior, found = fit(segments, octamer, parameters=given)
    tables = read_tables(prior)
    assert tables.terms == ("bonds", "repulsion")
    assert tables.exclusions == ("bonds", "angles", "1-4")
    assert tables.temperature_kelvin == 300.0
    assert tables.bonds == {("X", "X"): (120.0, 3.8)}
    assert found["source"].endswith("published.yaml")
    assert found["terms"]["bonds"]["types"][0]["parameters"]["k0"] == 120.0


def test_a_preset_chooses_among_given_terms(
    segments: Path, octamer: Mapping, tmp_path: Path
) -> None:
    given = write_tables(given_tables(octamer), tmp_path / "published.yaml")
    prior, _ = fit(segments, octamer, parameters=given, terms=["bonds"])
    assert read_tables(prior).terms == ("bonds",)


def test_parameters_that_are_not_there_are_refused_at_once() -> None:
    with pytest.raises(ValidationError, match=r"nowhere\.yaml does not exist"):
        PriorConfig(parameters=Path("nowhere.yaml"))


def test_parameters_are_looked_for_beside_the_campaign(tmp_path: Path) -> None:
    (tmp_path / "prior.yaml").touch()
    config = PriorConfig.model_validate(
        {"parameters": "prior.yaml"}, context={"folder": tmp_path}
    )
    assert config.parameters == tmp_path / "prior.yaml"


def test_a_refused_prior_leaves_its_picture_but_no_prior(
    segments: Path, octamer: Mapping, tmp_path: Path
) -> None:
    tables = replace(
        given_tables(octamer),
        exclusions=(),
        repulsion={(t,): (7.0, 3.0) for t in set(octamer.types)},
    )
    given = write_tables(tables, tmp_path / "published.yaml")
    with pytest.raises(NumericalError, match="left its range"):
        fit(segments, octamer, parameters=given)
    found = json.loads((tmp_path / "prior_fit.json").read_text())
    assert found["gate"]["passed"] is False
    assert "left its range" in found["gate"]["message"]
    assert found["terms"]["bonds"]["types"][0]["prior_alone"] is None
    assert not (tmp_path / "prior.yaml").exists()


def test_several_beads_a_residue_get_every_term(
    bead_chain: Callable[..., Mapping],
) -> None:
    preset = choose_preset(PriorConfig(), bead_chain(["CAA", "SC-ALA"], "custom"))
    assert preset.terms == ("bonds", "angles", "dihedrals", "repulsion")
    assert preset.exclusions == ("bonds", "angles", "1-4")
