"""A driver that is killed leaves jobs behind; the next one ends those and no others."""

import os
import signal


def test_resume_cancels_the_jobs_of_a_killed_driver(slurm, run_toy, make_site) -> None:
    other = slurm.submit("sleep 300", "--partition=gpu")
    try:
        toy = run_toy(slurm)
        driver = toy.start(make_site(toy.weft.folder))
        toy.in_mid_segment(driver)
        toy.weft.kill(driver)
        left = set(toy.job_ids())
        assert len(left) == 2, "one block for md and train, one for analysis"
        assert left < set(slurm.jobs()), "they outlive their driver"
        driver = toy.resume()
        toy.weft.wait_for(driver, lambda: not left & set(slurm.jobs("PENDING,RUNNING")))
        toy.weft.wait_for(driver, lambda: set(toy.job_ids()) - left)
        assert other in slurm.jobs()
        assert driver.wait(timeout=120) == 0, toy.weft.said()
        assert list(slurm.jobs("PENDING,RUNNING")) == [other]
    finally:
        slurm.ask("scancel", other)
    toy.finish(driver)


def test_a_stopped_driver_takes_its_jobs_along(any_slurm, run_toy, make_site) -> None:
    toy = run_toy(any_slurm, n_iterations=100)
    driver = toy.start(make_site(toy.weft.folder))
    toy.in_mid_segment(driver)
    os.killpg(driver.pid, signal.SIGHUP)  # as when its terminal is closed
    assert driver.wait(timeout=60) == 1
    assert "weft resume runs/toy" in toy.weft.said()
    toy.nothing_left()


def test_a_dead_interchange_takes_the_jobs_along(slurm, run_toy, make_site) -> None:
    toy = run_toy(slurm)
    driver = toy.start(make_site(toy.weft.folder))
    toy.in_mid_segment(driver)
    toy.find_process("interchange").kill()
    assert driver.wait(timeout=60) == 1
    assert "interchange was killed" in toy.weft.said()
    toy.nothing_left()
    toy.finish(toy.resume())


def test_a_full_queue_is_waited_for(slurm, run_toy, make_site) -> None:
    blocker = slurm.submit("sleep 300", "--partition=gpu", "--nodes=2", "--exclusive")
    toy = run_toy(slurm)
    driver = toy.start(make_site(toy.weft.folder, max_blocks=1))
    try:
        toy.weft.wait_for(driver, lambda: toy.job() in slurm.jobs("PENDING"))
        waiting = toy.job()
        others = [slurm.submit("sleep 300", "--partition=gpu") for _ in range(3)]
        slurm.ask("scancel", *others)
    finally:
        slurm.ask("scancel", blocker)
    toy.weft.wait_for(driver, lambda: toy.n_closed() >= 1)
    assert toy.job() == waiting, "one block was asked for, once"
    toy.finish(driver)
