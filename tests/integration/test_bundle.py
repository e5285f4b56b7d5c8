"""What is packed of a finished alanine campaign asks for the same campaign."""

import html
import zipfile
from pathlib import Path

import numpy as np

from apps.science.seeds import derive_seed
from apps.science.systems.prepare import prepare_system
from campaign.commands.bundle import write_bundle
from campaign.config import load_campaign
from campaign.layout.protein_dir import ProteinDir
from campaign.opening.start import start_campaign


def test_the_bundle_of_a_run_asks_for_the_same_run(
    uninterrupted: Path, tmp_path: Path
) -> None:
    packed = write_bundle(uninterrupted, tmp_path / "alanine.zip")
    with zipfile.ZipFile(packed.path) as members:
        members.extractall(tmp_path)
    folder = tmp_path / uninterrupted.name
    paths = start_campaign(folder / "campaign.yaml", "local", tmp_path / "runs")
    for name in ("resolved.yaml", "site.yaml"):
        theirs = (uninterrupted / name).read_text(encoding="utf-8")
        assert (paths.root / name).read_text(encoding="utf-8") == theirs
    check_first_stage(uninterrupted, ProteinDir(paths.root))
    here = str(uninterrupted.parent.parent)
    for path in folder.rglob("*"):
        if path.suffix in {".json", ".yaml", ".html", ".txt", ".csv"}:
            text = path.read_text(encoding="utf-8")
            assert here not in text, path
            assert html.escape(here) not in text, path
    for model in ("weighted", "unweighted"):
        assert (folder / "models" / model / "checkpoints" / "best.pt").is_file()


def check_first_stage(run: Path, twin: ProteinDir) -> None:
    """Prepare the system that the bundle asks for; it has the same bits."""
    config = load_campaign(twin.resolved)
    prepare_system(config.system, derive_seed(config.seed, "prepare"), twin.system)
    for name in ("system.xml", "protein.pdb"):
        assert (twin.system / name).read_bytes() == (run / "system" / name).read_bytes()
    with (
        np.load(twin.system / "starts.npz") as ours,
        np.load(run / "system" / "starts.npz") as theirs,
    ):
        for key in theirs:
            np.testing.assert_array_equal(ours[key], theirs[key])
