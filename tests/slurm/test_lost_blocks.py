"""Blocks that are cancelled, die with their node or run out of time cost nothing."""

import time


def test_a_cancelled_block_is_replaced(any_slurm, run_toy, make_site) -> None:
    toy = run_toy(any_slurm)
    driver = toy.start(make_site(toy.weft.folder))
    toy.in_mid_segment(driver)
    any_slurm.ask("scancel", toy.job())
    cancelled = time.monotonic()
    shards = toy.n_shards()
    toy.weft.wait_for(driver, lambda: toy.n_shards() > shards + 2)
    assert time.monotonic() - cancelled < 30
    toy.finish(driver)


def test_a_dead_node_is_replaced(slurm, run_toy, make_site) -> None:
    toy = run_toy(slurm)
    driver = toy.start(make_site(toy.weft.folder))
    toy.in_mid_segment(driver)
    node = slurm.jobs()[toy.job()]
    try:
        slurm.kill_node(node)
        toy.finish(driver)
    finally:
        slurm.control("start")


def test_a_block_that_ends_at_its_walltime_is_replaced(
    slurm, run_toy, make_site
) -> None:
    toy = run_toy(slurm, n_iterations=100)
    driver = toy.start(make_site(toy.weft.folder))
    toy.in_mid_segment(driver)
    first = toy.job()
    # the end is brought forward; Slurm looks for such jobs twice a minute
    slurm.ask("scontrol", "update", f"JobId={first}", "EndTime=now+1")
    toy.weft.wait_for(driver, lambda: toy.job() != first)
    state = slurm.ask("squeue", "-h", "--states=all", "-o", "%T", "--jobs", first)
    assert state == "TIMEOUT"
    now = max(toy.n_closed(), 5)
    toy.weft.wait_for(driver, lambda: toy.n_closed() > now)
    toy.interrupt(driver)
