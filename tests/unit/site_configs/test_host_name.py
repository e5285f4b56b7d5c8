"""``weft sites check`` says whether this host's name stands for an address."""

import json
import shutil
import subprocess
import sys

import pytest

from site_configs.checks.check import check_site
from site_configs.checks.host_name import judge_host_name
from site_configs.schema import Site

NODES = {"scheduler": "slurm", "nodes_per_block": 2, "task_spans_block": True}
ONE = Site.model_validate({"name": "one", "executors": {"pool": {}}})
SEVERAL = Site.model_validate({"name": "several", "executors": {"pool": NODES}})


@pytest.mark.parametrize(
    ("answer", "site", "level", "words"),
    [
        ({"name": "n1", "addresses": "10.1.2.3"}, SEVERAL, "ok", "n1 is 10.1.2.3"),
        ({"name": "n1", "addresses": "127.0.1.1"}, ONE, "ok", "n1 is 127.0.1.1"),
        ({"name": "n1", "addresses": "127.0.1.1"}, SEVERAL, "look", "interface:"),
        ({"name": "n1", "error": "not known"}, ONE, "ok", "nothing asks for it"),
        ({"name": "n1", "error": "not known"}, SEVERAL, "look", "known to nobody"),
    ],
)
def test_a_name_matters_where_a_training_spans_nodes(
    answer: dict[str, str], site: Site, level: str, words: str
) -> None:
    found = judge_host_name(answer, site)
    assert found[0] == level
    assert words in found[1]


def test_the_row_is_there_on_every_site() -> None:
    row = next(check for check in check_site(ONE) if check.what == "host name")
    assert row.ok
    assert row.detail


def test_a_name_that_nobody_knows_is_said() -> None:
    unshare = shutil.which("unshare")
    named = [str(unshare), "--map-root-user", "--uts", "sh", "-c"]
    rename = 'hostname nowhere.invalid && exec "$@"'
    if (
        unshare is None
        or subprocess.run([*named, rename, "-", "true"], check=False).returncode
    ):
        pytest.skip("this host lets nobody change a host's name for one process")
    ask = (
        "import json; from site_configs.checks.host_name import ask_host_name; "
        "print(json.dumps(ask_host_name()))"
    )
    done = subprocess.run(
        [*named, rename, "-", sys.executable, "-c", ask],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    answer = json.loads(done.stdout)
    assert answer["name"] == "nowhere.invalid"
    assert answer["error"]
