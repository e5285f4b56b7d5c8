"""Every shipped site builds a Parsl configuration and the script it would submit."""

import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from site_configs.build import ROLES, build_config
from site_configs.checks.check import check_site
from site_configs.checks.submit_script import submit_scripts
from site_configs.load import list_sites, load_site

SITES = [name for name, _ in list_sites()]
HEADER = {"slurm": "#SBATCH", "pbspro": "#PBS", "lsf": "#BSUB", "gridengine": "#$"}


def _skip_without_globus(name: str) -> None:
    schedulers = {e.scheduler for e in load_site(name).executors.values()}
    if "globus_compute" in schedulers:
        if find_spec("globus_compute_sdk") is None:
            pytest.skip("the Globus Compute SDK is not installed")
        pytest.skip("an endpoint's executor needs a login to the cloud service")


@pytest.mark.parametrize("name", SITES)
def test_config_has_an_executor_for_every_role(name: str, tmp_path: Path) -> None:
    _skip_without_globus(name)
    config = build_config(load_site(name), tmp_path / "parsl", {"WEFT_RUN_DIR": "x"})
    assert [executor.label for executor in config.executors] == list(ROLES)
    assert config.usage_tracking == 0


@pytest.mark.parametrize("name", SITES)
def test_submit_script_is_valid_shell_and_says_what_the_site_says(
    name: str, tmp_path: Path
) -> None:
    _skip_without_globus(name)
    site = load_site(name)
    scripts = submit_scripts(site, tmp_path / "parsl")
    assert scripts
    for label, script in scripts.items():
        executor = site.executors[site.executor_of(label) or ""]
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
        assert "site_configs.pools.worker_pool" in script
        assert f"OMP_NUM_THREADS={executor.cores_per_worker}" in script
        assert HEADER.get(executor.scheduler, "") in script
        for line in executor.scheduler_options.splitlines():
            assert line in script
    assert not (tmp_path / "parsl").exists(), "nothing is written, nothing submitted"


@pytest.mark.parametrize("name", SITES)
def test_check_answers_for_every_site(name: str) -> None:
    checks = check_site(load_site(name))
    assert {f"role {role}" for role in ROLES} <= {check.what for check in checks}
    assert all(check.detail for check in checks)
    if name == "local":
        assert all(check.ok for check in checks)


@pytest.mark.parametrize("scheduler", ["slurm", "lsf", "gridengine"])
def test_every_batch_scheduler_writes_its_own_header(
    scheduler: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        f"executors: {{p: {{scheduler: {scheduler}, account: abc, cores_per_node: 8,"
        " walltime: 02:00:00, max_blocks: 2}}"
    )
    (script,) = submit_scripts(load_site(path), tmp_path, roles=["md"]).values()
    assert HEADER[scheduler] in script
    assert "abc" in script
