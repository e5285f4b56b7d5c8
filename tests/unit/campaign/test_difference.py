"""A run may go on unless what was asked of it has changed."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from campaign.config import describe_difference, dump_campaign, parse_campaign

REPOSITORY = Path(__file__).parents[3]
ALANINE = REPOSITORY / "examples" / "02_alanine_dipeptide" / "campaign.yaml"


def parse(**sample: Any) -> Any:
    raw = yaml.safe_load(ALANINE.read_text())
    raw["sample"] |= sample
    return parse_campaign(raw, ALANINE)


def resolved_by_an_earlier_version() -> str:
    """Return what a version without two of today's settings would have written."""
    body = yaml.safe_load(dump_campaign(parse()))
    del body["sample"]["equilibrium"], body["sample"]["failures"]["lost"]
    return yaml.safe_dump(body, sort_keys=False)


def test_the_same_campaign_does_not_differ() -> None:
    assert describe_difference(dump_campaign(parse()), parse()) == ""


def test_a_default_of_a_later_version_is_no_difference() -> None:
    assert describe_difference(resolved_by_an_earlier_version(), parse()) == ""


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ({"equilibrium": {"burn_in": 5}}, "+    burn_in: 5"),
        ({"failures": {"lost": 7}}, "+    lost: 7"),
        ({"walkers_per_bin": 9}, "+  walkers_per_bin: 9"),
    ],
)
def test_what_somebody_set_is_a_difference(asked, shown) -> None:
    found = describe_difference(resolved_by_an_earlier_version(), parse(**asked))
    assert shown in found.splitlines()
