"""``weft simulate`` and ``weft tune`` on a small model: files others can open."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import mdtraj
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from apps.science.cg.checkpoint import write_checkpoint
from apps.science.cg.mapping.mapping import Mapping
from apps.science.cg.prior.tables import PriorTables
from apps.science.cg.prior.torchmd_yaml import format_tables
from apps.science.cg.simulation.block_size import (
    Timing,
    choose_block,
    measure_blocks,
    read_block,
)
from apps.science.cg.simulation.model_starts import (
    extend_chain,
    find_checkpoint,
    find_starts,
)
from apps.science.cg.simulation.simulate import Settings, simulate
from apps.science.errors import ConfigError, ShapeMismatchError
from apps.science.models.potentials.base import build_network, read_config
from campaign.cli import app

TABLES = PriorTables(
    ("bonds", "repulsion"), ("bonds",), bonds={("CAA", "CAA"): (75.0, 3.8)},
    repulsion={("CAA",): (4.0, 0.2)}, temperature_kelvin=310.0,
)  # fmt: skip


@pytest.fixture
def model(tmp_path: Path, bead_chain: Callable[..., Mapping]) -> Path:
    torch.manual_seed(0)
    config = read_config(
        {"kind": "cgschnet", "embedding_dimension": 8, "num_layers": 1}
    )
    facts = {
        "prior_yaml": format_tables(TABLES),
        "mapping_json": bead_chain(["CAA"] * 6).model_dump_json(),
        "prior_sha256": "",
        "residues": "",
    }
    write_checkpoint(
        tmp_path / "models" / "one" / "checkpoints" / "best.pt", config.model_dump(),
        build_network(config).state_dict(), proteins={"hexamer": facts},
    )  # fmt: skip
    return tmp_path / "models" / "one"


def test_a_protein_of_several_starts_where_its_own_benchmark_did(
    tmp_path: Path, bead_chain: Callable[..., Mapping]
) -> None:
    for k, protein in enumerate(("first", "second")):
        folder = tmp_path / "proteins" / protein / "benchmark" / "weighted"
        folder.mkdir(parents=True)
        np.savez(folder / "starts.npz", positions=np.full((2, 6, 3), float(k)))
    chain, model = bead_chain(["CAA"] * 6), tmp_path / "models" / "weighted"
    for k, protein in enumerate(("first", "second")):
        found = find_starts(model, chain, TABLES, None, protein)
        np.testing.assert_array_equal(found, np.full((2, 6, 3), k))
    assert find_starts(model, chain, TABLES, None).shape == (1, 6, 3)  # extended


@pytest.mark.random_outcome
@pytest.mark.parametrize("form", ["dcd", "xtc"])
def test_mdtraj_opens_what_was_simulated(
    model: Path, tmp_path: Path, form: str, margin
) -> None:
    chosen = Settings(3, 400, n_steps_per_frame=50, form=form)  # type: ignore[arg-type]
    done = simulate(model, tmp_path / "out", chosen)
    assert (done.n_frames, done.n_failed, len(done.files)) == (24, 0, 3)
    traj = mdtraj.load(str(done.files[1]), top=str(done.topology))
    assert traj.xyz.shape == (8, 6, 3)
    bonds = mdtraj.compute_distances(traj, [(i, i + 1) for i in range(5)])
    margin("shortest bond, nm", bonds.min(), above=0.30)
    margin("longest bond, nm", bonds.max(), below=0.46)
    with (tmp_path / "out" / "energies.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 24
    assert float(rows[-1]["time_ps"]) == pytest.approx(400 * 0.004)
    assert np.isfinite([float(r["potential_kcal_per_mol"]) for r in rows]).all()


def test_a_seed_gives_the_same_trajectory_and_another_another(
    model: Path, tmp_path: Path
) -> None:
    def run(name: str, seed: int) -> np.ndarray:
        chosen = Settings(2, 100, n_steps_per_frame=50, seed=seed)
        done = simulate(model, tmp_path / name, chosen)
        found: np.ndarray = mdtraj.load(str(done.files[0]), top=str(done.topology)).xyz
        return found

    np.testing.assert_array_equal(run("a", 1), run("b", 1))
    assert (run("c", 1) != run("d", 2)).any()


@pytest.mark.random_outcome
def test_tempering_writes_a_trajectory_per_temperature(
    model: Path, tmp_path: Path, margin
) -> None:
    chosen = Settings(
        2, 800, n_steps_per_frame=50, ladder_kelvin=[300.0, 330.0, 360.0],
        n_steps_per_exchange=100,
    )  # fmt: skip
    done = simulate(model, tmp_path / "out", chosen)
    assert len(done.files) == 6
    assert done.n_frames == 6 * 16
    assert max(done.exchanged) <= 1
    margin("exchanged", min(done.exchanged), above=0)
    assert done.files[2].name == "temperature_360K_000.dcd"


def test_steps_that_do_not_fit_are_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="whole number of frames"):
        simulate(model, tmp_path / "out", Settings(1, 110, n_steps_per_frame=50))
    wrong = Settings(1, 400, 50, ladder_kelvin=[300.0, 330.0], n_steps_per_exchange=75)
    with pytest.raises(ConfigError, match="exchanges"):
        simulate(model, tmp_path / "out", wrong)


def test_a_structure_of_other_beads_is_refused(model: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "starts.npz", positions=np.zeros((1, 5, 3)))
    with pytest.raises(ShapeMismatchError, match="5 particles; the model has 6"):
        simulate(
            model, tmp_path / "out", Settings(1, 100), None, tmp_path / "starts.npz"
        )
    with pytest.raises(ConfigError, match="is no model"):
        find_checkpoint(tmp_path / "nothing")


def test_an_extended_chain_has_the_priors_bonds(
    bead_chain: Callable[..., Mapping],
) -> None:
    chain = extend_chain(bead_chain(["CAA"] * 9), TABLES)
    lengths = np.linalg.norm(np.diff(chain, axis=0), axis=-1)
    np.testing.assert_allclose(lengths, 3.8, rtol=0.02)
    apart = np.linalg.norm(chain[2:] - chain[:-2], axis=-1)
    assert apart.min() > 5.0


def test_doubling_stops_where_it_gains_nothing() -> None:
    ran: list[int] = []
    timings = list(measure_blocks(ran.append, 10, 64, n_repeats=1))
    assert [t.block for t in timings] == sorted({t.block for t in timings})
    assert ran[:2] == [1, 1]  # once to warm up
    full = list(measure_blocks(lambda n: None, 10, 64, patient=True, n_repeats=1))
    assert [t.block for t in full] == [1, 2, 4, 8, 16, 32, 64]
    crowded = measure_blocks(lambda n: None, 10, 64, True, 1, lambda: 0.9)
    assert [t.block for t in crowded] == [1]


def test_the_smallest_block_near_the_best_is_chosen() -> None:
    rates = {1: 100.0, 2: 190.0, 4: 300.0, 8: 310.0, 16: 305.0}
    curve = [Timing(block, 1.0, rate) for block, rate in rates.items()]
    assert choose_block(curve) == 4


def test_the_commands_print_and_draw(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke
    arguments = ["--max", "4", "--steps", "5", "--out", "curve.png"]
    done = run(app, ["tune", str(model), *arguments, "--inference", "exact"])
    assert done.exit_code == 0, done.output
    assert "Chosen:" in done.output
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    kept = json.loads((tmp_path / "cache" / "weft" / "blocks.json").read_text())
    (tuning,) = kept.values()
    found = read_block(tuning["device"], tuning["model"], 6, "exact")
    assert found == tuning["block"]
    assert read_block(tuning["device"], "another", 6, "exact") is None
    done = run(app, ["simulate", str(model), "--steps", "200", "--replicas", "2"])
    assert done.exit_code == 0, done.output
    assert "Wrote 4 frames to 2 trajectories" in done.output
