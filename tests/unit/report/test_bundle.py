"""A bundle holds what a supplement needs, in the same bytes each time, and no more."""

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import pytest
import yaml

from apps.science.errors import ConfigError
from campaign.commands.bundle import MANIFEST, write_bundle
from campaign.commands.bundle_text import Places, rewrite_yaml

CAMPAIGN = """\
# the one of the paper
name: hairpin
system:
  pdb: ./data/start 1.pdb # as deposited
also: ["/far/away/big.npy", x]
"""


@pytest.fixture
def root(finished: tuple[Path, str], tmp_path: Path) -> Path:
    root = shutil.copytree(finished[0], tmp_path / "runs" / "hairpin")
    (root / "campaign.yaml").write_text(CAMPAIGN)
    (root / "inputs").mkdir()
    (root / "inputs" / "start 1.pdb").write_text("ATOM")
    of = {"size": 4, "sha256": "0", "mtime_ns": 0}
    files = [
        {"written": "data/start 1.pdb", "original": f"{tmp_path}/data/start 1.pdb",
         "copy": "inputs/start 1.pdb"} | of,
        {"written": "/far/away/big.npy", "original": "/far/away/big.npy",
         "copy": None} | of,
    ]  # fmt: skip
    listed = {"schema": "weft-inputs-1", "files": files}
    (root / "inputs" / "inputs.json").write_text(json.dumps(listed))
    settings = {"dataset": f"{root}/cg/dataset.h5", "out": f"{root}/models/weighted"}
    (root / "models" / "weighted" / "config.yaml").write_text(yaml.safe_dump(settings))
    (root / "models" / "weighted" / "checkpoints").mkdir()
    (root / "models" / "weighted" / "checkpoints" / "best.pt").write_bytes(b"\x00net")
    (root / "models" / "weighted" / "checkpoints" / "last.pt").write_bytes(b"other")
    environment = json.loads((root / "environment.json").read_text())
    environment["campaign_source"] = f"{tmp_path}/campaign.yaml"
    (root / "environment.json").write_text(json.dumps(environment))
    return root


def read_members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def test_the_manifest_lists_every_file_with_its_hash(root: Path) -> None:
    packed = write_bundle(root)
    assert packed.path == root / "report" / "hairpin_supplement.zip"
    members = read_members(packed.path)
    assert len(members) == packed.n_files
    listed = dict(
        reversed(line.split("  ", 1))
        for line in members[f"hairpin/{MANIFEST}"].decode().splitlines()
    )
    assert list(listed) == sorted(listed)
    expected = {
        name.removeprefix("hairpin/"): hashlib.sha256(content).hexdigest()
        for name, content in members.items()
        if not name.endswith(MANIFEST)
    }
    assert listed == expected
    for name in (
        "README.txt", "campaign.yaml", "resolved.yaml", "environment.json",
        "inputs/start 1.pdb", "benchmark/weighted/metrics.json", "report/methods.txt",
        "models/weighted/checkpoints/best.pt", "report/figures/density_tic0.json",
        "report/figures/density_tic0.png", "report/index.html", "reference/tica.npz",
    ):  # fmt: skip
        assert name in listed
    assert not any("last.pt" in n or n.endswith((".h5", ".zip")) for n in listed)


def test_the_same_run_is_packed_into_the_same_bytes_wherever_it_lies(
    root: Path, tmp_path: Path
) -> None:
    first = write_bundle(root, tmp_path / "one.zip").path.read_bytes()
    (root / "report" / "index.html").touch()
    assert write_bundle(root, tmp_path / "two.zip").path.read_bytes() == first
    assert not list(tmp_path.glob(".*"))


def test_no_path_of_the_machine_is_left(root: Path, tmp_path: Path) -> None:
    members = read_members(write_bundle(root).path)
    here = str(tmp_path).encode()
    assert [name for name, content in members.items() if here in content] == []
    environment = json.loads(members["hairpin/environment.json"])
    assert environment["campaign_source"] == "campaign.yaml"
    settings = yaml.safe_load(members["hairpin/models/weighted/config.yaml"])
    assert settings == {"dataset": "cg/dataset.h5", "out": "models/weighted"}
    moved = root.rename(root.with_name("moved"))
    members = read_members(write_bundle(moved, tmp_path / "moved.zip").path)
    assert [name for name, content in members.items() if here in content] == []


def test_campaign_yaml_names_the_copies_and_keeps_its_comments(root: Path) -> None:
    packed = write_bundle(root)
    text = read_members(packed.path)["hairpin/campaign.yaml"].decode()
    assert text.startswith("# the one of the paper\nname: hairpin\n")
    assert yaml.safe_load(text) == {
        "name": "hairpin",
        "system": {"pdb": "inputs/start 1.pdb"},
        "also": ["inputs/big.npy", "x"],
    }
    assert packed.left_out == ["inputs/big.npy (4 bytes, sha256 0)"]
    assert "inputs/big.npy (4 bytes" in (
        read_members(packed.path)["hairpin/README.txt"].decode()
    )


def test_a_comment_beside_a_path_stays() -> None:
    places = Places([Path("/run")], {"a.pdb": "inputs/a.pdb"})
    text = b"pdb: a.pdb # of the paper\n"
    assert rewrite_yaml(text, places) == b'pdb: "inputs/a.pdb" # of the paper\n'
    assert rewrite_yaml(b"x:   1\n", places) == b"x:   1\n"
    anchored = rewrite_yaml(b"one: &a a.pdb\nother: *a\n", places)
    assert yaml.safe_load(anchored) == {"one": "inputs/a.pdb", "other": "inputs/a.pdb"}


def test_what_is_no_run_or_no_zip_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a run folder"):
        write_bundle(tmp_path)
    with pytest.raises(ConfigError, match=r"End it with \.zip"):
        write_bundle(root, tmp_path / "bundle.tar")
