"""A site that cannot work is explained within a minute, in Grid Engine's words."""

import time

import pytest

LIMIT_S = 60
FAULTS = {
    "queue": ({"queue": "gpus"}, 'job requests unknown queue "gpus"'),
    "walltime": ({"walltime": "02:00:00"}, "(-l h_rt=7200) cannot run in queue"),
    "worker_init": ({"worker_init": "module load cuda/99\nexit 7"}, "module: command"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_campaign_ends_with_the_reason(gridengine, run_toy, make_site, fault) -> None:
    toy = run_toy(gridengine)
    settings, words = FAULTS[fault]
    began = time.monotonic()
    driver = toy.start(make_site(toy.weft.folder, **settings))
    assert driver.wait(timeout=2 * LIMIT_S) == 1
    assert words in toy.weft.said()
    assert time.monotonic() - began < LIMIT_S
    toy.nothing_left()
