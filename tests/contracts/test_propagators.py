"""Every propagator of weft keeps the contract of propagators, in every mode.

To add a propagator, add its file to apps/science/propagators/ and a builder below.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from apps.contracts.propagators import Case, PropagatorContract
from apps.science.plugins import list_kinds
from apps.science.propagators.base import States

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
    assert set(list_kinds(PropagatorContract.package)) == {
        name.split()[0] for name in BUILDERS
    }


@pytest.fixture(scope="module", params=sorted(BUILDERS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def made(
    name: str, alanine_system: Path, tmp_path_factory: pytest.TempPathFactory
) -> Case:
    folder = tmp_path_factory.mktemp(name.replace(" ", "_"))
    return BUILDERS[name](alanine_system, folder)


class TestPropagators(PropagatorContract):
    @pytest.fixture
    def kind(self, name: str) -> str:
        return name.split(maxsplit=1)[0]

    @pytest.fixture
    def case(self, made: Case) -> Case:
        return made
