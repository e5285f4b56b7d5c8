"""What is packed of a finished alanine campaign asks for the same campaign."""

import html
import zipfile
from pathlib import Path

from campaign.bundle import write_bundle
from campaign.starting import start_campaign


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
    here = str(uninterrupted.parent.parent)
    for path in folder.rglob("*"):
        if path.suffix in {".json", ".yaml", ".html", ".txt", ".csv"}:
            text = path.read_text(encoding="utf-8")
            assert here not in text, path
            assert html.escape(here) not in text, path
    for model in ("weighted", "unweighted"):
        assert (folder / "models" / model / "checkpoints" / "best.pt").is_file()
