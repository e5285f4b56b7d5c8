"""Jobs end: segments longer than one are named, and a driver leaves before its own."""

import time

import yaml

from campaign.driver.job_end import LEAVE_S


def test_a_segment_longer_than_a_block_is_refused(slurm, run_toy, make_site) -> None:
    toy = run_toy(slurm)
    campaign = yaml.safe_load(toy.campaign.read_text())
    toy.campaign.write_text(yaml.safe_dump(campaign | {"segment_seconds": 300.0}))
    done = toy.weft.call(
        "run", toy.campaign, "--site", make_site(toy.weft.folder, walltime="00:01:00")
    )
    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert "One segment of stage sample needs about 0:0" in said, said
    assert "Raise the walltime in site site, or make segments shorter" in said
    assert "Traceback" not in done.stderr
    toy.nothing_left()


def test_a_driver_leaves_before_its_own_job_ends(slurm, run_toy) -> None:
    toy = run_toy(slurm, n_iterations=100)
    toy.weft.environment |= {"WEFT_BLOCK_ENDS": str(time.time() + LEAVE_S + 10)}
    done = toy.weft.call("run", toy.campaign)
    assert done.returncode == 1
    assert "the driver's batch job ends in" in done.stdout + done.stderr
    assert "Nothing is lost; continue with: weft resume" in done.stderr
    assert 0 < toy.n_closed() < 100
    assert not toy.find_processes(toy.run_dir)
