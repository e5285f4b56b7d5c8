"""A checkpoint of schema 2 must open for good, and give the forces it gave.

``data/checkpoint_v2.pt`` was written once by write_checkpoint.py: a CGSchNet of 8
channels with random weights, on a bond prior. It is a whole force field by itself.
"""

from pathlib import Path

import torch

from apps.science.cg.checkpoint import load_network, read_checkpoint
from apps.science.cg.force_field import load_checkpoint

DATA = Path(__file__).parent / "data"
POSITIONS = torch.tensor(
    [[[0.0, 0.0, 0.0], [3.8, 0.0, 0.0], [5.0, 3.6, 0.0], [7.0, 4.0, 3.2]]]
)
ENERGY_THEN = 0.66933113
FORCES_THEN = [
    [-7.4599471, 0.0163544, 0.0023394],
    [4.8757410, -7.8424540, 0.0105861],
    [-1.7525393, 6.9717665, -6.9639182],
    [4.3367453, 0.8543330, 6.9509926],
]


def test_an_old_checkpoint_gives_its_old_forces() -> None:
    energy, forces = load_checkpoint(DATA / "checkpoint_v2.pt").compute(POSITIONS)
    torch.testing.assert_close(
        energy, torch.tensor([ENERGY_THEN]), rtol=1e-5, atol=1e-5
    )
    torch.testing.assert_close(
        forces[0], torch.tensor(FORCES_THEN), rtol=1e-5, atol=2e-5
    )


def test_an_old_checkpoint_holds_no_filters() -> None:
    assert read_checkpoint(DATA / "checkpoint_v2.pt")["model"]["hold_filters"] is False


def test_reading_a_checkpoint_runs_no_code_of_its_own() -> None:
    content = torch.load(DATA / "checkpoint_v2.pt", weights_only=True)
    assert set(content) == {
        "schema", "model", "weights", "training", "units", "proteins", "provenance",
    }  # fmt: skip


def test_a_checkpoint_of_schema_1_means_what_it_meant() -> None:
    """Its filters ran on every pair, and its sequence channel counted beads."""
    content = read_checkpoint(DATA / "checkpoint_v1.pt")
    assert content["model"]["filter_spacing_angstrom"] == 0.0
    assert content["model"]["sequence_by"] == "bead"
    network, beads = load_network(DATA / "checkpoint_v1.pt"), torch.tensor([4, 2, 8, 7])
    along = torch.tensor([1, 1, 2, 2])
    torch.testing.assert_close(
        network.energy(POSITIONS, beads, along), network.energy(POSITIONS, beads)
    )
