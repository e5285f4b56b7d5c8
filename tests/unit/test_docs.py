"""Commands in the documents exist, links lead somewhere, and examples are valid."""

import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).parents[2]
PAGES = sorted(
    [REPOSITORY / "README.md", *REPOSITORY.glob("docs/*.md"),
     *REPOSITORY.glob("examples/*/README.md")]
)  # fmt: skip
WEFT = Path(sys.executable).with_name("weft")

# run by the integration tests, on a run folder or for minutes
ELSEWHERE = (
    "weft run ", "weft resume ", "weft status ", "weft report ", "weft export ",
    "weft stop ", "weft watch ", "weft data ", "weft simulate ", "weft tune ",
    "weft benchmark ",
)  # fmt: skip


def read_commands() -> list[str]:
    found = [
        line.removeprefix("$ ").strip()
        for page in PAGES
        for block in re.findall(r"```console\n(.*?)```", page.read_text(), re.DOTALL)
        for line in block.splitlines()
        if line.startswith("$ ")
    ]
    return sorted(set(found))


COMMANDS = read_commands()


def test_files_that_docstrings_and_comments_name_exist() -> None:
    theirs = {"site.py", "type.py", "process_worker_pool.py"}
    sources = [p for part in ("apps", "campaign", "site_configs")
               for p in (REPOSITORY / part).rglob("*.py")]  # fmt: skip
    known = {path.name for path in sources} | theirs
    for path in sources:
        named = re.findall(r"\b\w+\.py\b", path.read_text())
        assert set(named) <= known, path


def test_make_targets_exist() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    for command in COMMANDS:
        if command.startswith("make "):
            assert f"\n{command.split()[1]}:" in makefile


@cache
def ask_help(*verbs: str) -> str:
    done = subprocess.run(
        [WEFT, *verbs, "--help"], capture_output=True, text=True, check=False,
        env={"COLUMNS": "200", "TERM": "dumb"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("weft ")])
def test_the_command_and_its_options_exist(command: str) -> None:
    words = shlex.split(command)[1:]
    verbs = words[:2] if words[0] == "sites" else words[:1]
    said = ask_help(*verbs)
    for option in (w for w in words if w.startswith("--")):
        assert option in said


def test_quick_commands_work_in_the_order_of_the_readme(tmp_path: Path) -> None:
    site = (REPOSITORY / "site_configs" / "local.yaml").read_text()
    (tmp_path / "my_cluster.yaml").write_text(site)
    quick = [
        c
        for c in COMMANDS
        if c.startswith("weft ") and not c.startswith(ELSEWHERE) and "--probe" not in c
    ]
    quick.sort(key=lambda c: "init" not in c)
    assert len(quick) >= 5
    for command in quick:
        done = subprocess.run(
            [WEFT, *shlex.split(command)[1:]], cwd=tmp_path, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        # `sites check slurm` names what is missing on a machine without Slurm
        expected = {0, 2} if "check slurm" in command else {0}
        assert done.returncode in expected, f"{command}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


BROUGHT = {"04_own_frames": ("ala2_coordinates.npy", "ala2_forces.npy")}
"""Arrays that a reader puts beside an example, of five beads."""


@pytest.mark.parametrize("campaign", sorted(REPOSITORY.glob("examples/*/*.yaml")))
def test_examples_are_valid(campaign: Path, tmp_path: Path) -> None:
    from campaign.config import check_campaign, load_campaign

    folder = shutil.copytree(campaign.parent, tmp_path / "example")
    for name in BROUGHT.get(campaign.parent.name, ()):
        np.save(folder / name, np.arange(45.0).reshape(3, 5, 3) / 3.5)
    check_campaign(load_campaign(folder / campaign.name))
