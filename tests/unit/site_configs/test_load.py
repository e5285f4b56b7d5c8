"""Sites are found by name or path, and a bad file is named with its fault."""

import subprocess
import sys
from pathlib import Path

import pytest

from site_configs.errors import SiteError
from site_configs.load import check_roles, list_sites, load_site


def _write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def test_local_comes_first_and_every_site_is_described() -> None:
    sites = list_sites()
    assert sites[0][0] == "local"
    assert all(description for _, description in sites)


def test_an_unknown_site_is_answered_with_those_that_exist() -> None:
    with pytest.raises(SiteError, match=r"no site 'perlmuter'.*local.*perlmutter"):
        load_site("perlmuter")


def test_a_file_of_ones_own_is_named_after_itself(tmp_path: Path) -> None:
    site = load_site(_write(tmp_path, "executors: {pool: {}}"))
    assert site.name == "mine"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("executors: [", "not valid YAML"),
        ("- a list", "must be a mapping"),
        ("executors: {p: {partion: a}}", "executors.p.partion.*mean partition"),
        ("executor: {p: {}}", "executor: unknown setting; did you mean executors"),
        ("executors: {p: {scheduler: torque}}", "local.*slurm.*not 'torque'"),
        ("executors: {p: {max_blocks: 0}}", "greater than or equal to 1, not 0"),
        ("executors: {p: {}, p: {}}", "the key 'p' in line 1, twice"),
        ("executors: {p: {scheduler: torque}}", "OpenPBS are served, Torque is not"),
        ("executors: {p: {scheduler: SLURM}}", "did you mean slurm?"),
        ("executors: {p: {scheduler: pbs}}", "did you mean pbspro?"),
        ("executors: {p: {scheduler: sge}}", "did you mean gridengine?"),
        ("executors: {p: {time: 4}}", "p.time: unknown setting; here it is walltime"),
        ("executors: {p: {qos: on}}", 'true or false, .*in quotes, qos: "yes"'),
        ("executors: {p: {account: 12}}", 'is the number 12; .*quotes, account: "12"'),
        ("executors: {p: {account: 0123}}", 'if it is text, "0123"; else write 123'),
        ("executors: {p: {environment: {N: 8}}}", 'put text in quotes, N: "8"'),
        ("executors: {p: {constraint: &gpu }}", "constraint: has no value"),
        ("executors: [{name: p}]", "give each pool of workers a name"),
        ("executors: {p: {port_range: 500-510}}", r"write \[500, 510\]"),
        (
            "executors: {p: {constraint: [a, b]}}",
            "that begins with . or . goes in quot",
        ),
        ("executors: {p: {scheduler_options: [-x]}}", "below each other, after a"),
        ("executors: {p: {scheduler: slurm, walltime: 4:00}}", "is '4:00'"),
        ("executors: {p: {scheduler: slurm, walltime: 240}}", "is the number 240"),
        (
            "executors: {p: {scheduler: slurm, scheduler_options: x}}",
            "executors.p: scheduler_options has the line 'x': it is no option",
        ),
    ],
)
def test_a_bad_file_is_explained(tmp_path: Path, text: str, words: str) -> None:
    path = _write(tmp_path, text)
    with pytest.raises(SiteError, match=f"(?s)mine.yaml.*{words}"):
        load_site(path)


def test_an_unquoted_time_is_what_it_looks_like(tmp_path: Path) -> None:
    text = "executors: {p: {scheduler: slurm, walltime: 10:30:30}}"
    assert load_site(_write(tmp_path, text)).executors["p"].walltime == "10:30:30"


def test_a_missing_role_is_named_with_the_roles_present(tmp_path: Path) -> None:
    text = "{executors: {a: {}, b: {}}, roles: {md: a, analysis: b}}"
    site = load_site(_write(tmp_path, text))
    check_roles(site, ["md", "analysis"])
    with pytest.raises(SiteError, match=r"no executor for 'train'.*'md', 'analysis'"):
        check_roles(site, ["md", "train", "analysis"])


def test_listing_sites_does_not_import_parsl() -> None:
    code = (
        "import sys; from site_configs.load import list_sites; list_sites();"
        "sys.exit('parsl' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
