"""The methods section says what was done, with what, and whom to cite."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from campaign.config import dump_campaign, load_campaign
from campaign.layout.protein_dir import ProteinDir
from campaign.report.build import write_report
from campaign.report.parts.learnt_source import LearntSource
from campaign.report.parts.written import papers
from campaign.report.parts.written.methods import Methods, write_methods
from campaign.report.parts.written.papers import PAPERS, Citations

EXAMPLES = Path(__file__).parents[3] / "examples"
EVERY_FIELD = {
    "01_chignolin", "02_alanine_dipeptide", "03_explicit_water", "05_two_proteins",
}  # fmt: skip


def resolve(example: str, **changes: dict[str, Any]) -> dict[str, Any]:
    """Return an example's settings with every default, changed."""
    config = load_campaign(EXAMPLES / example / "campaign.yaml")
    body: dict[str, Any] = yaml.safe_load(dump_campaign(config))
    for section, settings in changes.items():
        body[section] |= settings
    return body


def methods_of(folder: Path, body: dict[str, Any]) -> Methods:
    folder.mkdir(exist_ok=True)
    (folder / "resolved.yaml").write_text(yaml.safe_dump(body))
    environment = {"packages": {"openmm": "8.6.1", "weft": "0.1.0"}, "python": "3.11.9"}
    (folder / "environment.json").write_text(json.dumps(environment))
    found = write_methods(LearntSource(ProteinDir(folder)))
    assert found is not None
    return found


def check_numbers(found: Methods) -> None:
    """Every number in the text is in the list, every listed one is in the text."""
    text = " ".join(found.paragraphs)
    used = {
        int(n) for group in re.findall(r"\[([\d,]+)\]", text) for n in group.split(",")
    }
    assert used == set(range(1, len(found.references) + 1))
    for number, reference in enumerate(found.references, start=1):
        assert reference.startswith(f"[{number}] ")
        assert re.search(r"doi:10\.\d{4,9}/\S+$", reference)
    assert "None" not in text


def names_paper(found: Methods, key: str) -> bool:
    return any(reference.endswith(PAPERS[key]) for reference in found.references)


@pytest.mark.parametrize("example", sorted(EVERY_FIELD))
def test_every_number_stands_for_a_paper(example: str, tmp_path: Path) -> None:
    check_numbers(methods_of(tmp_path / "run", resolve(example)))


def test_every_paper_is_cited_by_some_campaign() -> None:
    """A key that no text uses is a mistake in one of them."""
    source = "".join(
        path.read_text(encoding="utf-8")
        for path in Path(papers.__file__).parent.glob("*.py")
        if path.name != "papers.py"
    )
    assert [key for key in PAPERS if f'"{key}"' not in source.replace("'", '"')] == []
    with pytest.raises(KeyError, match="Add it to PAPERS"):
        Citations().cite("nobody")


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        ({"system": {"solvent": "gbn2"}}, "gbn2", "in generalized Born (GBn2)"),
        ({"system": {"solvent": "tip3pfb"}}, "tip3pfb", "barostat at 1 atm"),
        ({"model": {"kind": "cgnet", "width": 7}}, "cgnets", "of width 7"),
        ({"training": {"noise_angstrom": 0.02}}, "noise", "noise of 0.02"),
        ({"training": {"learning_rate": "auto"}}, "adamw", "from range tests"),
        ({"dataset": {"weights": "equilibrium"}}, "riteweight", "to equilibrium"),
    ],
)
def test_other_settings_make_another_text(
    changes: dict[str, Any], key: str, words: str, tmp_path: Path
) -> None:
    usual = methods_of(tmp_path / "one", resolve("01_chignolin"))
    other = methods_of(tmp_path / "other", resolve("01_chignolin", **changes))
    check_numbers(other)
    assert names_paper(other, key)
    assert usual.paragraphs != other.paragraphs
    assert words in " ".join(other.paragraphs)
    assert words not in " ".join(usual.paragraphs)


def test_bins_that_are_fixed_do_not_cite_adaptive_ones(tmp_path: Path) -> None:
    fixed = {"bins": {"kind": "rectilinear", "edges": [[0.0], [0.0, 1.0]]}}
    body = resolve("01_chignolin", sample=fixed, benchmark=fixed)
    found = methods_of(tmp_path / "run", body)
    assert "2 by 3 fixed bins" in " ".join(found.paragraphs)
    assert not names_paper(found, "mab")


def test_a_finished_run_has_its_numbers_and_the_text_beside_the_page(
    finished: tuple[Path, str], tmp_path: Path
) -> None:
    root = shutil.copytree(finished[0], tmp_path / "hairpin")
    body = resolve("01_chignolin") | {"name": "hairpin"}
    (root / "resolved.yaml").write_text(yaml.safe_dump(body))
    system = json.loads((root / "system" / "system.json").read_text())
    system["start_names"] = ["native", "extended", "unfolding_1", "unfolding_2"]
    (root / "system" / "system.json").write_text(json.dumps(system))
    page = write_report(root).read_text(encoding="utf-8")
    text = (root / "report" / "methods.txt").read_text(encoding="utf-8")
    flat = " ".join(text.split())
    assert "30 iterations of 3.2 ps, 720 segments and 2.3 ns in all" in flat
    assert "chignolin (10 residues, YYDPETGTWY)" in flat
    assert "30 epochs" in flat
    assert "at native and extended structures and at 2 frames of a run of 40 ps" in flat
    assert max(map(len, text.splitlines())) <= 88
    assert text.splitlines()[-1].strip().endswith(PAPERS["parsl"].split()[-1])
    assert 'id="methods"' in page
    assert "YYDPETGTWY) was simulated with OpenMM" in page


def test_a_run_that_says_nothing_yet_has_no_methods(tmp_path: Path) -> None:
    assert write_methods(LearntSource(ProteinDir(tmp_path))) is None
