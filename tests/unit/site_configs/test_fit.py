"""A task that cannot end within a block is refused before anything queues."""

import pytest

from site_configs.checks.fit import check_walltime
from site_configs.errors import SiteError
from site_configs.schema import Site


def _site(**executor: object) -> Site:
    return Site.model_validate({"name": "here", "executors": {"pool": executor}})


def test_what_drains_is_not_there_for_tasks() -> None:
    site = _site(scheduler="slurm", walltime="01:00:00", drain_minutes=10)
    check_walltime(site, "md", 3000)
    with pytest.raises(SiteError, match=r"about 0:50:01 .* has 0:50:00 for tasks"):
        check_walltime(site, "md", 3001)


def test_this_computer_has_no_walltime() -> None:
    check_walltime(_site(), "md", 1e9)
