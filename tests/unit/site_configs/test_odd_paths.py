"""A folder of any name: no shell reads it as anything else, or it is refused."""

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
from parsl.jobs.states import JobState

from site_configs.build import build_config
from site_configs.errors import SiteError
from site_configs.paths import check_run_path
from site_configs.pools.any_folder import load_certificates, make_numbered_folder
from site_configs.pools.providers import make_launcher, make_provider
from site_configs.pools.slurm_provider import as_output
from site_configs.schema import ExecutorConfig, Site

NAMES = [
    "thesis v2", "it's", 'say "x"', "$(touch X)", "`touch X`", "$HOME", "[d]", "{x}",
    "{}", "a;touch X", "a&b", "a>X", "*", "?", "~", "#c", "100%j", "back\\slash",
    " lead", "trail ", "-n", "ü", "日本", "a=b", "a,b:c", "!x",
]  # fmt: skip


def _site(scheduler: str, **settings: object) -> Site:
    pool = {"scheduler": scheduler, **settings}
    return Site.model_validate({"name": "here", "executors": {"pool": pool}})


@pytest.mark.parametrize("name", NAMES)
def test_a_local_block_runs_where_it_lies(tmp_path: Path, name: str) -> None:
    for word in name.split():
        if word != name:
            (tmp_path / word).write_text("mine")
    before = {path: path.read_text() for path in tmp_path.iterdir() if path.is_file()}
    folder = tmp_path / name
    folder.mkdir()
    provider = make_provider(ExecutorConfig(), "export GREETING=hello\n")
    provider.script_dir = str(folder)
    job = provider.submit('echo "$GREETING"; exit 3', 1, "parsl.md.block-0")
    end = time.monotonic() + 60
    while not (status := provider.status([job])[0]).terminal:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert status.state == JobState.FAILED
    assert "hello" in status.stdout_summary
    kinds = {path.suffix for path in folder.iterdir()}
    assert kinds == {".sh", ".ec", ".out", ".err"}
    after = {path: path.read_text() for path in tmp_path.iterdir() if path.is_file()}
    assert after == before


def test_a_local_block_is_cancelled(tmp_path: Path) -> None:
    provider = make_provider(ExecutorConfig(), "")
    provider.script_dir = str(tmp_path)
    job = provider.submit("exec sleep 600", 1)
    provider.cancel([job])
    end = time.monotonic() + 60
    while not provider.status([job])[0].terminal:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert provider.status([job])[0].state == JobState.CANCELLED


@pytest.mark.parametrize("name", NAMES)
def test_the_pools_are_told_their_folders(tmp_path: Path, name: str) -> None:
    site = _site("local", container="env {a}=1")
    executor = build_config(site, tmp_path, roles=["md"]).executors[0]
    executor.run_dir = str(tmp_path / name / "000")
    executor.worker_port = 1
    executor.cert_dir = f"{executor.logdir}/certificates"
    executor.logconf_path = f"{executor.logdir}/log.pkl"
    executor.initialize_scaling()
    words = shlex.split(executor._get_launch_command("7"))
    assert words[:2] == ["env", "{a}=1"]
    assert f"--logdir={executor.logdir}" in words
    assert f"--logconf={executor.logconf_path}" in words
    assert words[words.index("--cert_dir") + 1] == executor.cert_dir
    assert "--block_id=7" in words


@pytest.mark.parametrize("launcher", ["srun", "mpiexec", "pals"])
def test_a_launcher_hands_the_command_on_as_it_is(
    tmp_path: Path, launcher: str, odd_folder: str
) -> None:
    """The starter of pools is a stand-in here; what the shell makes of names is not."""
    folder = tmp_path / odd_folder
    folder.mkdir()
    starter = tmp_path / "bin" / ("srun" if launcher == "srun" else "mpiexec")
    starter.parent.mkdir()
    starter.write_text('#!/bin/sh\nwhile [ "$1" != bash ]; do shift; done\nexec "$@"\n')
    starter.chmod(0o755)
    executor = ExecutorConfig.model_validate(
        {"scheduler": "slurm", "nodes_per_block": 2, "launcher": launcher}
    )
    said = tmp_path / "said"
    command = f"printf '%s' {shlex.quote(odd_folder)} > {shlex.quote(str(said))}"
    script = make_launcher(executor)(command, 1, 2, str(folder))
    path = f"{starter.parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, check=False, capture_output=True,
        text=True, env={"PATH": path, "JOBNAME": "parsl.md.block-0.1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert said.read_text() == odd_folder
    assert {p.name for p in tmp_path.iterdir()} == {odd_folder, "bin", "said"}


def test_certificates_are_those_of_the_folder_itself(tmp_path: Path) -> None:
    from zmq.auth import create_certificates

    for name in ("[d]", "d"):
        (tmp_path / name).mkdir()
        create_certificates(tmp_path / name, "client")
    mine, other = (load_certificates(tmp_path / name) for name in ("[d]", "d"))
    assert len(mine) == len(other) == 1
    assert mine != other


@pytest.mark.parametrize("name", ["[d]", "d"])
def test_each_start_has_a_folder_of_its_own(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "parsl"
    for number in range(3):
        assert make_numbered_folder(str(path)) == str(path / f"00{number}")
    (path / "099").mkdir()
    (path / "0x9").mkdir()
    assert make_numbered_folder(str(path)) == str(path / "100")


def test_slurm_is_told_its_output_files() -> None:
    assert as_output("/a b/100%j/x") == "/a b/100%%j/x"
    assert as_output("/a\\b/x") == "/a\\\\b/x"


@pytest.mark.parametrize(
    ("site", "name", "words"),
    [
        (_site("local"), "a\nb", "line break"),
        (_site("local"), "a\x1b[1m", "control character"),
        (_site("slurm"), "a%j\\b", "both % and"),
        (_site("gridengine"), "a,b", "has , in its path, which Grid Engine"),
        (_site("gridengine"), "$HOME", "has $H in its path, which Grid Engine"),
        (_site("lsf"), "a b", "' ' in its path. lsf takes"),
        (_site("pbspro", cores_per_node=4), "it's", "in its path. pbspro takes"),
        (Site(name="x", python=Path("x.py")), "a b", "A site in Python takes"),
        (_site("local"), "a\udcff", "not UTF-8"),
    ],
)
def test_what_cannot_be_said_is_refused(site: Site, name: str, words: str) -> None:
    with pytest.raises(SiteError, match="--runs") as error:
        check_run_path(site, Path("/home/me") / name)
    assert words in str(error.value)


@pytest.mark.parametrize("scheduler", ["lsf", "pbspro"])
@pytest.mark.parametrize("name", sorted(set(NAMES) - {"-n", "a=b"}))
def test_lsf_and_pbs_are_not_told_odd_names(scheduler: str, name: str) -> None:
    site = _site(scheduler, cores_per_node=4)
    with pytest.raises(SiteError, match=f"{scheduler} takes"):
        check_run_path(site, Path("/home/me") / name)


@pytest.mark.parametrize("name", NAMES)
def test_what_can_be_said_is_not_refused(name: str) -> None:
    for scheduler in ("local", "slurm", "kubernetes"):
        settings = {"image": "x"} if scheduler == "kubernetes" else {}
        check_run_path(_site(scheduler, **settings), Path("/home/me") / name)
    for scheduler, settings in (("lsf", {}), ("pbspro", {"cores_per_node": 4})):
        check_run_path(_site(scheduler, **settings), Path("/home/me+x/runs-2/a_b.c"))


def test_letters_that_a_locale_changes_are_refused(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from site_configs.paths import check_run_path;"
        "from site_configs.schema import Site;"
        "site = Site.model_validate({'name': 'x', 'executors': {'a': {}}});"
        "check_run_path(site, Path.cwd())"
    )
    (tmp_path / "ü").mkdir()
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "ü", capture_output=True,
        text=True, check=False, env=os.environ | ascii_only,
    )  # fmt: skip
    assert "SiteError" in done.stderr
    assert "LC_ALL=C.UTF-8" in done.stderr or "not UTF-8" in done.stderr


def test_scripts_and_site_files_are_utf8_in_any_locale(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from site_configs.checks.submit_script import submit_scripts
from site_configs.load import load_site
from site_configs.pools.providers import make_provider
from site_configs.pools.worker_init import write_worker_init
site = load_site("mine.yaml")
assert chr(252) in submit_scripts(site, Path("runs"), ["md"])["md"]
pool = site.executors["pool"]
provider = make_provider(pool, write_worker_init(pool, {}))
provider.script_dir = "."
provider.submit("true", 1)
"""
    text = "executors: {pool: {worker_init: 'echo ü', environment: {NAME: ü}}}"
    (tmp_path / "mine.yaml").write_bytes(text.encode())
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True,
        text=True, check=False, env=os.environ | ascii_only,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (script,) = tmp_path.glob("*.sh")
    assert "echo ü" in script.read_text(encoding="utf-8")
    assert 'export NAME="ü"' in script.read_text(encoding="utf-8")
