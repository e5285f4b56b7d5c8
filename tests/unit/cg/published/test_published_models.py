"""Models that torchmd-net trained give here the forces that they give there."""

import argparse
import pickle
import re
import shlex
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
import pytest
import torch

from apps.science.arrays import Array
from apps.science.cg.force_field import ForceField
from apps.science.cg.mapping.bead_topology import read_psf
from apps.science.cg.published.force_field import load_published
from apps.science.cg.published.lightning_file import is_lightning, read_lightning
from apps.science.cg.simulation.model_starts import find_starts
from apps.science.errors import ConfigError, DataError
from apps.science.learning.checkpoint_file import (
    DamagedCheckpointError,
    ForeignCheckpointError,
)
from apps.science.propagators.cg import choose_inference

NUMBERS = [20, 11, 5, 17, 2, 7, 8, 11, 19, 1]
"""Of the residues, as the published models number them."""

SHARED = Path(__file__).parents[5] / "shared" / "data" / "cg_majewski"
Chains = Callable[..., Array]


def load(files: Any) -> ForceField:
    return load_published(files.checkpoint, files.prior, files.psf)


def rewrite(path: Path, out: Path, **other: Any) -> Path:
    """Write a checkpoint again with other parts."""
    content = torch.load(path, weights_only=True)
    torch.save(content | other, out)
    return out


def change(path: Path, out: Path, **settings: Any) -> Path:
    old = read_lightning(path)[0]
    return rewrite(path, out, hyper_parameters=old | settings)


def assert_as_torchmd(
    field: ForceField, positions: torch.Tensor, theirs: tuple[torch.Tensor, ...]
) -> None:
    from apps.science.cg.fast.tabulated import TabulatedForceField

    forms = [choose_inference(field, form, "cpu") for form in ("exact", "auto")]
    for form in [*forms, TabulatedForceField(field, "cpu")]:  # the last as on GPUs
        energy, forces = form.compute(positions)
        assert (forces - theirs[1]).abs().max() < 1e-4, form
        assert (energy - theirs[0]).abs().max() < 1e-3, form


def test_exact_and_tabulated_forces_are_those_of_torchmd(
    published: Any, random_chains: Chains, run_torchmd: Callable[..., Any]
) -> None:
    """Prior and network, energies with the mean and scale of the training set."""
    positions = 200.0 + torch.as_tensor(random_chains(8, 10))
    field = load(published)
    assert field.mapping.embeddings == NUMBERS
    assert set(field.masses_amu) == {12.5}  # the prior's, as in torchmd
    assert (field.mapping.angles, len(field.mapping.dihedrals)) == ([], 7)
    assert type(choose_inference(field, "auto", "cpu")).__name__ == "FastForceField"
    theirs = run_torchmd(published, positions, NUMBERS)
    prior_alone = field.prior.energy_and_forces(positions)[1]
    assert (theirs[1] - prior_alone).abs().max() > 5  # a network worth comparing
    assert_as_torchmd(field, positions, theirs)


@pytest.mark.parametrize(
    ("other", "tabulated"),
    [({"rbf_type": "gauss", "activation": "silu", "cutoff_lower": 0.0}, True),
     ({"activation": "ssp", "reduce_op": "sum"}, False),
     ({"neighbor_embedding": True}, False)],
)  # fmt: skip
def test_other_graph_networks_are_those_of_torchmd(
    published: Any, save: Callable[..., Path], tmp_path: Path, random_chains: Chains,
    run_torchmd: Callable[..., Any], other: dict[str, Any], tabulated: bool,
) -> None:  # fmt: skip
    """Those without tables are computed exactly, and not refused."""
    files = replace(published, checkpoint=save(tmp_path / "m.ckpt", **other))
    positions = torch.as_tensor(random_chains(4, 10))
    field = load(files)
    theirs = run_torchmd(files, positions, NUMBERS)
    chosen = choose_inference(field, "auto", "cpu")
    assert (chosen is not field) == tabulated
    for form in (field, chosen):
        assert (form.compute(positions)[1] - theirs[1]).abs().max() < 1e-4


@pytest.mark.parametrize("protein", ["cln", "villin"])
def test_the_published_files_are_read_as_torchmd_reads_them(
    published: Any, random_chains: Chains, run_torchmd: Callable[..., Any], protein: str
) -> None:
    if not SHARED.is_dir():
        pytest.skip("the files of the published C-alpha models are not at hand")
    files = replace(
        published,
        prior=SHARED / "prior_force_field.yaml",
        psf=SHARED / "topology" / f"{protein}.psf",
    )
    field = load(files)
    starts = SHARED / "starts" / f"{protein}_kcenters_32clusters_coords.xtc"
    found = find_starts(files.psf, field.mapping, field.prior.tables, starts)
    positions = torch.as_tensor(found[:4])
    numbers = field.mapping.embeddings
    if protein == "cln":
        assert numbers == [4, 4, 5, 8, 6, 13, 2, 13, 7, 4]  # their simulate.yaml
    assert_as_torchmd(field, positions, run_torchmd(files, positions, numbers))


def write_of_2021(path: Path, out: Path) -> Path:
    """Write it as Lightning 1.3 and torchmd-net 0.2 did, which trained those models.

    Callbacks lay under their classes, settings may have been a namespace, and layers
    of the output had other names.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint

    content = torch.load(path, weights_only=True)
    weights = {
        re.sub(r"output_network\.layers\.", "output_network.", name): value
        for name, value in content["state_dict"].items()
        if not name.endswith("distance.box")
    }
    assert any("output_network.0." in name for name in weights)
    settings = dict(content["hyper_parameters"]) | {"log_dir": Path("logs")}
    content |= {
        "state_dict": weights,
        "pytorch-lightning_version": "1.3.8",
        "callbacks": {EarlyStopping: {"patience": 30}, ModelCheckpoint: {}},
        "hyper_parameters": argparse.Namespace(**settings),
    }
    torch.save(content, out)
    return out


def test_a_file_of_2021_is_read_without_its_code(
    published: Any, tmp_path: Path, random_chains: Chains
) -> None:
    old = write_of_2021(published.checkpoint, tmp_path / "old.ckpt")
    with pytest.raises(pickle.UnpicklingError):
        torch.load(old, weights_only=True)
    positions = torch.as_tensor(random_chains(2, 10))
    one, two = (
        load(replace(published, checkpoint=p)).compute(positions)[1]
        for p in (published.checkpoint, old)
    )
    assert torch.equal(one, two)
    with pytest.raises(pickle.UnpicklingError):  # nothing was allowed for good
        torch.load(old, weights_only=True)


class _Runs:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("ran"),)


def test_code_in_a_file_is_not_run(
    published: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bad = rewrite(published.checkpoint, Path("bad.ckpt"), callbacks={"x": _Runs()})
    with pytest.raises(ForeignCheckpointError, match="could run code of its own"):
        load(replace(published, checkpoint=bad))
    assert is_lightning(bad)
    assert not Path("ran").exists()


def test_what_cannot_be_read_is_converted_by_the_command_that_is_given(
    published: Any, tmp_path: Path, random_chains: Chains
) -> None:
    folder = tmp_path / "it's here"
    folder.mkdir()
    settings = read_lightning(published.checkpoint)[0] | {"lr": Decimal("0.5")}
    settings |= {"num_rbf": np.int64(18), "cutoff_upper": np.float64(12.0)}
    strange = rewrite(
        published.checkpoint, folder / "model.ckpt", hyper_parameters=settings
    )
    with pytest.raises(ForeignCheckpointError, match=r"\(.*decimal.Decimal") as refused:
        load(replace(published, checkpoint=strange))
    command = str(refused.value).partition("this writes: ")[2]
    words = shlex.split(command)
    assert words[0] == "python"
    subprocess.run([sys.executable, *words[1:]], check=True)
    plain = folder / "model-plain.ckpt"
    assert plain.is_file()
    positions = torch.as_tensor(random_chains(2, 10))
    one, two = (
        load(replace(published, checkpoint=p)).compute(positions)[1]
        for p in (published.checkpoint, plain)
    )
    assert torch.equal(one, two)


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"model": "tensornet"}, "holds torchmd-net's tensornet"),
     ({"model": "equivariant-transformer"}, "holds torchmd-net's equi"),
     ({"model": None}, "not of torchmd-net"),
     ({"prior_model": [{"ZBL": {}}]}, "trained with prior_model"),
     ({"output_model": "DipoleMoment"}, "trained with output_model: 'DipoleMoment'"),
     ({"reduce_op": "mean"}, "trained with reduce_op: 'mean'"),
     ({"aggr": "max"}, "trained with aggr"),
     ({"rbf_type": "bessel"}, "trained with rbf_type"),
     ({"activation": "relu"}, "trained with activation"),
     ({"atom_filter": 3}, "trained with atom_filter"),
     ({"cutoff_lower": 12.0}, "trained with cutoff_lower"),
     ({"num_layers": "two"}, "its setting num_layers is 'two'"),
     ({"num_layers": 3}, "not those of its settings"),
     ({"embedding_dimension": 16}, "not those of its settings")],
)  # fmt: skip
def test_another_energy_function_is_refused_in_a_sentence(
    published: Any, tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    path = change(published.checkpoint, tmp_path / "other.ckpt", **settings)
    with pytest.raises(DataError, match=re.escape(said)):
        load(replace(published, checkpoint=path))


def test_a_bead_the_model_cannot_know_is_named(
    published: Any, save: Callable[..., Path], tmp_path: Path
) -> None:
    small = save(tmp_path / "small.ckpt", max_z=20)
    with pytest.raises(DataError, match=r"knows 20 kinds of beads.* LEU"):
        load(replace(published, checkpoint=small))


def test_a_cut_file_and_weights_that_ran_away_are_told(
    published: Any, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.ckpt"
    cut.write_bytes(published.checkpoint.read_bytes()[:-4000])
    with pytest.raises(DamagedCheckpointError):
        load(replace(published, checkpoint=cut))
    weights = read_lightning(published.checkpoint)[1]
    name = next(n for n in weights if n.endswith("lin1.weight"))
    weights[name] = weights[name] * torch.nan
    ran = rewrite(published.checkpoint, tmp_path / "ran.ckpt", state_dict=weights)
    with pytest.raises(DataError, match="not all its weights are finite"):
        load(replace(published, checkpoint=ran))


def test_the_prior_and_the_beads_are_asked_for(published: Any) -> None:
    with pytest.raises(ConfigError, match="--prior"):
        load_published(published.checkpoint, None, published.psf)
    with pytest.raises(ConfigError, match="--psf"):
        load_published(published.checkpoint, published.prior, None)


@pytest.fixture
def trajectory(published: Any, tmp_path: Path) -> Path:
    """Frames of the model's own beads that shake about a helix."""
    turn = np.radians(100.0) * np.arange(10)
    helix = np.stack([2.3 * np.cos(turn), 2.3 * np.sin(turn), 1.5 * np.arange(10)], 1)
    rng = np.random.default_rng(2)
    frames = helix + 0.15 * rng.normal(size=(400, 10, 3))
    from apps.science.segments.topology import make_beads

    topology = make_beads(read_psf(published.psf))
    mdtraj.Trajectory(frames / 10, topology).save(str(tmp_path / "md.xtc"))
    return tmp_path / "md.xtc"


def test_the_command_simulates_and_judges_it(
    published: Any, trajectory: Path, weft: Any
) -> None:
    files = ["--prior", published.prior, "--psf", published.psf]
    done = weft.call(
        "simulate", published.checkpoint, *files, "--start", trajectory, "--replicas",
        "3", "--steps", "40", "--every", "20", "--timestep-fs", "1", "--temperature",
        "350", "--inference", "exact", "--out", "sim",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    first = mdtraj.load(
        str(weft.folder / "sim" / "replica_002.dcd"),
        top=str(weft.folder / "sim" / "topology.pdb"),
    )
    assert first.xyz.shape == (2, 10, 3)
    done = weft.call(
        "benchmark", trajectory, "--topology", published.psf, "--interval-ps", "1",
        "--lag-ps", "2", f"theirs={published.checkpoint}", *files, "--run-ps", "0.4",
        "--frame-ps", "0.02", "--timestep-fs", "1", "--replicas", "4", "--bootstrap",
        "5", "--temperature", "350",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert (weft.folder / "benchmark" / "theirs" / "frames.h5").is_file()


def test_the_command_refuses_another_protein_and_a_prior_too_many(
    published: Any, trajectory: Path, weft: Any
) -> None:
    text = published.psf.read_text().replace("TRP ", "TYR ").replace("CAW", "CAY")
    (weft.folder / "mutant.psf").write_text(text)
    words = ["benchmark", trajectory, "--topology", published.psf, "--interval-ps", "1"]
    words += ["--lag-ps", "2", published.checkpoint, "--prior", published.prior]
    done = weft.call(*words, "--psf", "mutant.psf")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "differ in 1 of 10" in " ".join((done.stdout + done.stderr).split())
    shutil.copy(published.checkpoint, weft.folder / "m.ckpt")
    done = weft.call("simulate", "m.ckpt")
    assert (done.returncode, "--prior" in done.stdout + done.stderr) == (2, True)
