"""Times as sinfo writes them."""

import pytest

from site_configs.checks.ask_slurm import _clock, _seconds


@pytest.mark.parametrize(
    ("limit", "seconds"),
    [("30:00", 1800), ("1:00:00", 3600), ("2-00:00:00", 172800), ("infinite", None)],
)
def test_sinfo_writes_days_hours_minutes(limit: str, seconds: int | None) -> None:
    assert _seconds(limit) == seconds


def test_a_limit_is_shown_as_a_walltime_is_written() -> None:
    assert _clock(90061) == "25:01:01"
