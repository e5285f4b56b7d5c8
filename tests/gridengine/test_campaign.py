"""A campaign on a real Grid Engine, disturbed in every way, ends as undisturbed."""

import time


def test_a_deleted_block_and_a_killed_driver_change_nothing(
    gridengine, run_toy, make_site
) -> None:
    # named as this campaign's blocks are, but not of this run
    other = gridengine.submit("sleep 300", "-N", "parsl.md.block-1.17.5", "-q", "all.q")
    try:
        toy = run_toy(gridengine)
        driver = toy.start(make_site(toy.weft.folder))

        toy.in_mid_segment(driver)
        first = toy.job()
        gridengine.cancel(first)
        deleted = time.monotonic()
        shards = toy.n_shards()
        toy.weft.wait_for(driver, lambda: toy.n_shards() > shards + 2)
        assert time.monotonic() - deleted < 30
        assert toy.job() != first, "it is replaced"

        toy.weft.kill(driver)
        left = set(toy.job_ids()) - {first}
        assert len(left) == 2, "one block for md and train, one for analysis"
        assert left < set(gridengine.jobs()), "they outlive their driver"
        # as if the driver had died before it could note the last job's id
        notes = toy.run_dir / "jobs.jsonl"
        notes.write_text("".join(notes.read_text().splitlines(keepends=True)[:-1]))
        assert len(left & set(toy.job_ids())) == 1

        driver = toy.resume()
        toy.weft.wait_for(driver, lambda: not left & set(gridengine.jobs()))
        assert driver.wait(timeout=120) == 0, toy.weft.said()
        assert other in gridengine.jobs()
    finally:
        gridengine.cancel(other)
    toy.finish(driver)
