"""What a site file leaves open is said before a run folder is made."""

import pytest

from site_configs.errors import SiteError
from site_configs.load import load_site
from site_configs.ready import check_addresses, check_filled_in
from site_configs.schema import Site


def _site(**pool: object) -> Site:
    return Site.model_validate({"name": "here", "executors": {"pool": pool}})


def test_a_shipped_site_has_to_be_filled_in() -> None:
    with pytest.raises(SiteError, match=r"(?s)gpu\.account: still has <project>.*cpu"):
        check_filled_in(load_site("delta"))
    check_filled_in(load_site("local"))


def test_worker_init_is_read_by_a_shell() -> None:
    with pytest.raises(
        SiteError, match=r"worker_init: a shell cannot read it:.*line 2"
    ):
        check_filled_in(_site(worker_init="module load x\necho 'a"))
    check_filled_in(_site(worker_init="module load nobody/1 && echo ü"))


def test_an_address_is_of_this_host() -> None:
    check_addresses(_site(address="127.0.0.1"))
    with pytest.raises(
        SiteError, match=r"login01\.example\.invalid, which is not known"
    ):
        check_addresses(_site(address="login01.example.invalid"))
    with pytest.raises(SiteError, match=r"192\.0\.2\.1, which is no address of this"):
        check_addresses(_site(address="192.0.2.1"))
    with pytest.raises(
        SiteError, match="interface ib77, which this host does not have"
    ):
        check_addresses(_site(interface="ib77"))
