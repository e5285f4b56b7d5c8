"""What checkpoints refuse, and that they stand for themselves."""

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from apps.science.cg.checkpoint import read_checkpoint, write_checkpoint
from apps.science.cg.force_field import load_checkpoint, load_force_field
from apps.science.errors import DataError
from apps.science.files import hash_file
from apps.science.learning.checkpoint_file import ForeignCheckpointError
from apps.science.models.potentials.base import build_network, read_config
from apps.science.tasks.force_matching.data import read_training_data

WEFT = Path(sys.executable).with_name("weft")
MODEL = {"kind": "cgschnet", "embedding_dimension": 8, "num_layers": 1}


@pytest.fixture
def parts(two_proteins: Path, tmp_path: Path) -> dict[str, Path]:
    """Return prior.yaml and mapping.json of chignolin, and a model trained on them."""
    protein = read_training_data(two_proteins).proteins[0]
    prior, mapping = tmp_path / "prior.yaml", tmp_path / "mapping.json"
    prior.write_text(protein.prior_yaml)
    mapping.write_text(protein.mapping_json)
    torch.manual_seed(0)
    config = read_config(MODEL)
    facts = {
        "residues": "", "prior_sha256": hash_file(prior),
        "prior_yaml": protein.prior_yaml, "mapping_json": protein.mapping_json,
    }  # fmt: skip
    checkpoint = write_checkpoint(
        tmp_path / "best.pt", config.model_dump(), build_network(config).state_dict(),
        proteins={"chignolin": facts},
    )  # fmt: skip
    return {"prior": prior, "mapping": mapping, "checkpoint": checkpoint}


def test_a_checkpoint_alone_is_the_force_field_of_its_files(
    parts: dict[str, Path],
) -> None:
    torch.manual_seed(6)
    positions = 3.8 * torch.randn(3, 10, 3)
    alone = load_checkpoint(parts["checkpoint"]).compute(positions)
    torch.testing.assert_close(load_force_field(**parts).compute(positions), alone)


def test_another_prior_is_refused(parts: dict[str, Path]) -> None:
    parts["prior"].write_text(parts["prior"].read_text().replace("75.0", "80.0"))
    with pytest.raises(DataError, match="Use the prior of the training"):
        load_force_field(**parts)


@pytest.mark.parametrize("damage", ["cut", "schema", "gone"])
def test_what_is_no_checkpoint_is_refused(damage: str, parts: dict[str, Path]) -> None:
    path = parts["checkpoint"]
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:200])
    elif damage == "schema":
        torch.save({"schema": "weft-checkpoint-9"}, path)
    else:
        path.unlink()
    words = {"cut": "is damaged", "schema": "has schema", "gone": "does not exist"}
    with pytest.raises(DataError, match=words[damage]):
        read_checkpoint(path)


def test_no_code_runs_when_a_checkpoint_is_read(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (exec, ("raise SystemExit('ran')",))

    path = tmp_path / "trap.pt"
    torch.save({"schema": "weft-checkpoint-2", "model": Trap()}, path)
    with pytest.raises(ForeignCheckpointError, match="could run its code") as caught:
        read_checkpoint(path)
    assert "elete" not in str(caught.value)


def test_damage_anywhere_is_found(parts: dict[str, Path]) -> None:
    """torch itself reads on where bytes of a tensor have changed."""
    path = parts["checkpoint"]
    whole, before = path.read_bytes(), read_checkpoint(path)["weights"]
    rng = np.random.default_rng(3)
    for size in {0, 1, 4, *rng.integers(len(whole), size=40).tolist()}:
        path.write_bytes(whole[:size])
        with pytest.raises(DataError):
            read_checkpoint(path)
    n_found, places = 0, rng.integers(len(whole), size=200).tolist()
    for place in places:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        try:  # a flip in a date of the archive's changes nothing
            after = read_checkpoint(path)["weights"]
            assert all(torch.equal(before[name], after[name]) for name in before)
        except DataError:
            n_found += 1
    assert n_found > 100


@pytest.mark.parametrize("kind", ["text", "zip", "legacy", "module", "script", "state"])
def test_other_people_s_files_are_left_alone(kind: str, tmp_path: Path) -> None:
    path, linear = tmp_path / "theirs.pt", torch.nn.Linear(2, 2)
    if kind == "text":
        path.write_text("my only copy")
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.txt", "my only copy")
    elif kind == "legacy":
        torch.save([1], path, _use_new_zipfile_serialization=False)
    elif kind == "module":
        torch.save(linear, path)
    elif kind == "script":
        torch.jit.script(linear).save(str(path))
    else:
        torch.save(linear.state_dict(), path)
    before = path.read_bytes()
    with pytest.raises(ForeignCheckpointError) as caught:
        read_checkpoint(path)
    assert "elete" not in str(caught.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize("kind", ["cut", "trap"])
def test_the_command_says_in_a_sentence_what_is_wrong(
    kind: str, parts: dict[str, Path], tmp_path: Path
) -> None:
    path = parts["checkpoint"]
    if kind == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        torch.save({"model": torch.nn.Linear(2, 2)}, path)
    done = subprocess.run(
        [WEFT, "simulate", path, "--steps", "100", "--out", tmp_path / "out"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    words = "is damaged: it ends after" if kind == "cut" else "could run its code"
    assert words in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert path.exists()
    assert not (tmp_path / "out").exists()
