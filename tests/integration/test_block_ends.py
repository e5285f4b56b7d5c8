"""A worker whose batch job ends soon sends its task on and lets the job end."""

from pathlib import Path

import parsl

from site_configs.build import build_config
from site_configs.schema import Site

# the task defined in this file is unpickled by reference to it
IMPORTS = {"PYTHONPATH": str(Path(__file__).parents[2])}
LIFE_S = 40
PAST_S = 16
NEEDED_S = 25
"""Too long for a block that has worked so long, and not for a fresh one."""


@parsl.python_app(executors=["md"])
def work(seconds: float, needed_s: float) -> str:
    import os
    import time

    from apps.science.stopping import begin_only_if_it_ends

    begin_only_if_it_ends(needed_s, "A segment", divisible=False)
    time.sleep(seconds)
    return os.environ["WEFT_POOL_PID"]


def test_a_task_that_cannot_end_goes_to_the_next_block(tmp_path: Path) -> None:
    ends = f"$(( $(date +%s) + {LIFE_S} ))"
    executor = {"cores_per_node": 1, "environment": {"WEFT_BLOCK_ENDS": ends}}
    site = Site.model_validate({"name": "here", "executors": {"pool": executor}})
    dfk = parsl.load(build_config(site, tmp_path / "parsl", IMPORTS, ["md"]))
    try:
        pools = [
            work(PAST_S, 0).result(), work(0, 0).result(), work(0, NEEDED_S).result(),
        ]  # fmt: skip
    finally:
        dfk.cleanup()
        parsl.clear()
    assert pools[0] == pools[1]
    assert pools[2] != pools[1]
