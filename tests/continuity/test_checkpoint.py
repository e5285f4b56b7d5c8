"""A checkpoint written by version 0.1.0 must open, and give the energies it gave.

``data/checkpoint_v1.pt`` is a CGSchNet of 8 channels with random weights, written
once. Never write it again: a change that cannot read it breaks people's models.
"""

import shutil
from pathlib import Path

import torch

from apps.science.cg.checkpoint import load_network, read_checkpoint

OLD = Path(__file__).parent / "data" / "checkpoint_v1.pt"
POSITIONS = torch.tensor(
    [[[0.0, 0.0, 0.0], [3.8, 0.0, 0.0], [5.0, 3.6, 0.0], [7.0, 4.0, 3.2]]]
)
EMBEDDINGS = torch.tensor([4, 2, 8, 7])
ENERGY_THEN = -1.9645191


def test_an_old_checkpoint_gives_its_old_energy() -> None:
    energy = load_network(OLD).energy(POSITIONS, EMBEDDINGS)
    torch.testing.assert_close(
        energy.detach(), torch.tensor([ENERGY_THEN]), rtol=1e-5, atol=1e-6
    )


def test_reading_a_checkpoint_runs_no_code_of_its_own() -> None:
    content = torch.load(OLD, weights_only=True)
    assert set(content) == {"schema", "model", "weights", "training"}


def test_a_checkpoint_can_be_moved(tmp_path: Path) -> None:
    moved = Path(shutil.copy(OLD, tmp_path / "elsewhere.pt"))
    assert read_checkpoint(moved)["model"]["kind"] == "cgschnet"
