"""A run folder is a plain WESTPA folder: stock tools read it and continue it."""

import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from apps.science.we.config import WEConfig
from apps.science.we.kinetics import read_flux

N_ITERATIONS = 12
MAB = {"kind": "mab", "nbins": [5]}
GRID = {"kind": "rectilinear", "edges": [[-0.7, -0.4, -0.1, 0.2]]}
CELLS = {"kind": "voronoi", "centers": [[-0.85], [-0.55], [-0.25], [0.05], [0.35]]}
REGION = {"label": "right", "region": [[0.2, None]]}
POINT = {"label": "right", "pcoord": [0.5]}
WELLS = ["--bins-from-expr", "[[-inf,-0.7,-0.4,-0.1,0.2,inf]]",
         "--states", "[-0.9]", "[0.5]"]  # fmt: skip
PAGE = Path(__file__).parents[3] / "docs" / "weighted-ensemble.md"


def read_page(language: str) -> list[str]:
    """Return the code blocks of the page on weighted ensemble."""
    found = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found
    return found


@pytest.fixture
def make_run(tmp_path, run_well):
    def make(bins=MAB, targets=(), n_iterations: int = N_ITERATIONS) -> Path:
        config = WEConfig(
            n_iterations=n_iterations, walkers_per_bin=5, bins=bins, targets=targets
        )
        return run_well(tmp_path / "run", config, 3).parent

    return make


def call(command: str, *arguments: str, folder: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name(command), *arguments], cwd=folder, text=True,
        capture_output=True, check=False, stdin=subprocess.DEVNULL,
        env=os.environ | {"WEST_SIM_ROOT": str(folder), "WM_WORK_MANAGER": "serial"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def ask_for(n_iterations: int, folder: Path) -> None:
    cfg = folder / "west.cfg"
    was = f"max_total_iterations: {N_ITERATIONS}"
    assert was in cfg.read_text()
    wanted = f"max_total_iterations: {n_iterations}"
    cfg.write_text(cfg.read_text().replace(was, wanted))


@pytest.mark.parametrize(
    ("bins", "targets"),
    [(MAB, []), (MAB, [REGION]), (CELLS, [POINT])],
    ids=["equilibrium", "recycled", "recycled voronoi"],
)
def test_stock_w_run_continues_a_run(make_run, bins, targets) -> None:
    folder = make_run(bins, targets)
    ask_for(N_ITERATIONS + 2, folder)
    call("w_run", "-r", "west.cfg", "--serial", folder=folder)
    with h5py.File(folder / "west.h5") as west:
        for n_iter in (N_ITERATIONS + 1, N_ITERATIONS + 2):
            group = west[f"iterations/iter_{n_iter:08d}"]
            index, pcoord = group["seg_index"][:], group["pcoord"][:]
            assert (index["status"] == 2).all()
            assert index["weight"].sum() == pytest.approx(1.0, abs=1e-12)
            assert np.isfinite(pcoord).all()
            if targets:
                assert (pcoord[:, 0] < 0.2).all()
                arrived = pcoord[:, -1, 0] >= 0.2
                np.testing.assert_array_equal(arrived, index["endpoint_type"] == 3)
    if targets:
        assert len(read_flux(folder / "west.h5")) == N_ITERATIONS + 2


@pytest.mark.parametrize("targets", [[], [REGION]], ids=["equilibrium", "recycled"])
def test_w_pdist_finds_all_the_weight(make_run, targets) -> None:
    folder = make_run(targets=targets)
    call("w_pdist", "-W", "west.h5", "-o", "pdist.h5", "--serial", folder=folder)
    with h5py.File(folder / "pdist.h5") as pdist:
        edges, densities = pdist["binbounds_0"][:], pdist["histograms"][:]
    assert len(densities) == N_ITERATIONS
    np.testing.assert_allclose(densities @ np.diff(edges), 1.0, atol=1e-6)


@pytest.mark.parametrize("targets", [[], [REGION]], ids=["equilibrium", "recycled"])
def test_w_trace_follows_a_walker_to_its_start(make_run, targets) -> None:
    folder = make_run(targets=targets)
    call("w_trace", "-W", "west.h5", f"{N_ITERATIONS}:0", folder=folder)
    with h5py.File(folder / "trajs.h5") as traced:
        segments = next(iter(traced["trajectories"].values()))["segments"][:]
    with h5py.File(folder / "west.h5") as west:
        for row in segments[segments["n_iter"] > 0]:
            index = west[f"iterations/iter_{row['n_iter']:08d}/seg_index"]
            assert index[row["seg_id"]]["weight"] == row["weight"]
    assert segments["n_iter"][-1] == N_ITERATIONS


@pytest.mark.parametrize(
    ("bins", "targets"),
    [(MAB, [REGION]), (GRID, [POINT])],
    ids=["mab", "grid"],
)
def test_w_direct_and_w_fluxanl_find_the_flux_that_we_read(
    make_run, bins, targets
) -> None:
    folder = make_run(bins, targets, 20)
    call("w_assign", "-W", "west.h5", "--serial", *WELLS, folder=folder)
    call("w_direct", "--serial", "all", "-W", "west.h5", folder=folder)
    call("w_fluxanl", "-W", "west.h5", folder=folder)
    ours = read_flux(folder / "west.h5")
    assert np.count_nonzero(ours) >= 3
    with h5py.File(folder / "direct.h5") as direct:
        into_right = direct["total_fluxes"][:, 1]
        np.testing.assert_allclose(into_right, ours, rtol=1e-12)
        left_to_right = direct["conditional_fluxes"][:, 0, 1]
        np.testing.assert_allclose(left_to_right, ours, rtol=1e-12)
    with h5py.File(folder / "fluxanl.h5") as fluxanl:
        found = fluxanl["target_flux/target_0/flux"][:]  # from the first arrival on
        np.testing.assert_allclose(found, ours[-len(found) :], rtol=1e-12)
        assert not ours[: -len(found)].any()


def test_w_ipa_analyses_a_run_without_a_terminal(make_run) -> None:
    folder = make_run(targets=[REGION])
    analysis = next(block for block in read_page("yaml") if "analysis:" in block)
    with (folder / "west.cfg").open("a") as cfg:
        cfg.write(textwrap.indent(analysis, "  "))
    call("w_ipa", "--analysis-only", folder=folder)
    with h5py.File(folder / "ANALYSIS" / "WELLS" / "direct.h5") as direct:
        flux = direct["total_fluxes"][:, 1]
    np.testing.assert_allclose(flux, read_flux(folder / "west.h5"), rtol=1e-12)


def test_the_commands_of_the_page_read_an_equilibrium_run(make_run) -> None:
    folder = make_run(CELLS)
    lines = "".join(read_page("console")).splitlines()
    commands = [line.removeprefix("$ ") for line in lines if line.startswith("$ w_")]
    assert len(commands) >= 5
    for command in commands:
        call(*shlex.split(command), folder=folder)
    with h5py.File(folder / "assign.h5") as assign:
        populations = assign["labeled_populations"][:].sum(axis=(1, 2))
        np.testing.assert_allclose(populations, 1.0, atol=1e-9)


def test_the_bins_and_targets_of_the_page_are_valid() -> None:
    blocks = [yaml.safe_load(block) for block in read_page("yaml")]
    kinds = set()
    for block in blocks:
        if "bins" in block:
            kinds.add(WEConfig(n_iterations=1, **block).bins.kind)
    assert kinds == {"mab", "rectilinear", "voronoi"}
