"""A run whose walkers never leave one bin is stopped with what it saw."""

import pytest
from pydantic import ValidationError

from apps.science.errors import ConfigError
from apps.science.we.binning.bins_check import check_bins_change
from apps.science.we.config import RectilinearBins, WEConfig
from apps.science.we.storage.journal import read_record

PATIENCE = 20
FAR = {"kind": "rectilinear", "edges": [[5.0, 6.0, 7.0]]}
FAR_CELLS = {"kind": "voronoi", "centers": [[-1.0], [40.0]]}
ONE = {"kind": "mab", "nbins": [1], "bottleneck": False, "direction": [86]}


@pytest.mark.parametrize(
    ("bins", "words"),
    [
        (FAR, [r"edges \[5\.0, 6\.0, 7\.0\]", "within that extent", "plain MD"]),
        (FAR_CELLS, [r"centres \[-1\.0\], \[40\.0\]", "within that extent"]),
        (ONE, [r"nbins \[1\]", "Raise nbins"]),
    ],
    ids=["rectilinear", "voronoi", "mab"],
)
def test_bins_that_never_change_are_named(tmp_path, run_toy, bins, words) -> None:
    folder = tmp_path / "run"
    with pytest.raises(ConfigError) as stopped:
        run_toy(folder, PATIENCE + 10, bins)
    records = [read_record(folder / "journal", n + 1) for n in range(PATIENCE)]
    low = min(record.summary["pcoord_min"][0] for record in records)
    for said in [*words, f"over {low:.4g} to", f"In {PATIENCE} iterations"]:
        assert stopped.match(said)


def test_bins_that_are_reached_once_are_fine(tmp_path, run_toy) -> None:
    bins = {"kind": "rectilinear", "edges": [[-1.0, -0.8, 5.0]]}
    assert len(run_toy(tmp_path / "run", PATIENCE + 1, bins)) == PATIENCE + 1


def test_a_coordinate_that_stands_still_is_named() -> None:
    still = {"n_bins_occupied": 1, "pcoord_min": [2.0], "pcoord_max": [2.0]}
    with pytest.raises(ConfigError, match="does not move at all"):
        check_bins_change([still] * PATIENCE, WEConfig(n_iterations=50, bins=FAR))


@pytest.mark.parametrize("edges", [[float("inf")], [0.0, float("nan")], [2.0, 1.0], []])
def test_edges_that_make_no_bins_are_refused(edges) -> None:
    with pytest.raises(ValidationError, match="must"):
        RectilinearBins(edges=[edges])
