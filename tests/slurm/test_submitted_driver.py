"""The driver itself runs as a batch job, and its jobs end with it."""

import json
import time


def wait_for_state(toy, wanted: str, patience_s: float = 120.0) -> None:
    end = time.monotonic() + patience_s
    while (state := toy.weft.status(toy.run_dir)["state"]) != wanted:
        out = toy.run_dir / "driver.out"
        said = out.read_text()[-3000:] if out.exists() else "nothing yet"
        assert time.monotonic() < end, f"{state}: {said}"
        time.sleep(0.5)


def test_a_submitted_driver_is_stopped_and_goes_on(
    slurm, weft, run_toy, make_site, odd_folder
) -> None:
    weft.folder /= odd_folder
    weft.folder.mkdir()
    toy = run_toy(slurm)
    site = make_site(toy.weft.folder)
    done = toy.weft.call("run", toy.campaign, "--site", site, "--submit")
    assert done.returncode == 0, done.stderr
    job = next(iter(slurm.jobs()))
    assert f"batch job {job}" in done.stdout
    wait_for_state(toy, "running")

    asked = toy.weft.call("stop", toy.run_dir)
    assert "The driver has left" in asked.stdout, asked.stdout + asked.stderr
    assert "Stopped as asked" in (toy.run_dir / "driver.out").read_text()
    toy.nothing_left()

    done = toy.weft.call("resume", toy.run_dir, "--submit", "--walltime", "00:30:00")
    assert done.returncode == 0, done.stderr
    (job,) = slurm.jobs()
    limit = slurm.ask("squeue", "-h", "-j", job, "-o", "%l")
    assert limit == "30:00"
    wait_for_state(toy, "done")
    toy.compare(toy.run_dir / "we" / "west.h5", toy.undisturbed)
    toy.nothing_left()


def test_a_driver_that_waits_is_said_to(slurm, run_toy, make_site) -> None:
    toy = run_toy(slurm)
    blockers = [slurm.submit("sleep 300", "-p", "cpu", "--exclusive") for _ in "12"]
    done = toy.weft.call(
        "run", toy.campaign, "--site", make_site(toy.weft.folder), "--submit"
    )
    assert done.returncode == 0, done.stderr
    job = toy.weft.status(toy.run_dir)["driver_job"]["job_id"]
    assert f"batch job {job}" in done.stdout
    shown = toy.weft.call("status", toy.run_dir).stdout
    assert "toy: queued" in shown
    assert f"waits as slurm job {job}" in shown
    asked = toy.weft.call("stop", toy.run_dir)
    assert asked.returncode == 2
    assert f"waits as slurm job {job}. Cancel that job" in " ".join(
        asked.stderr.split()
    )
    slurm.ask("scancel", job, *blockers)


def test_a_laptop_has_no_job_to_submit(slurm, run_toy) -> None:
    toy = run_toy(slurm)
    done = toy.weft.call("run", toy.campaign, "--submit")
    assert done.returncode == 2
    assert "Use --detach instead" in done.stderr
    assert json.loads((toy.run_dir / "environment.json").read_text())["site"] == "local"
