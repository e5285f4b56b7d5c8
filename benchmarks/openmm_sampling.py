"""WE sampling of chignolin beside bare OpenMM on the same cores, for we_overhead.py.

Bare OpenMM steps one warm Context per core and saves nothing. weft runs whole
iterations: Parsl, exact replay, frames with forces, shards, journal, resampling.
"""

import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

N_WORKERS = 2
N_SEGMENTS = 12
SEGMENT_PS = 4.0
STEPS_PER_SEGMENT, STEPS_PER_FRAME = 1000, 100
PS_PER_NS, SECONDS_PER_DAY = 1000.0, 86400.0


def measure_openmm(n_repeats: int, n_iterations: int) -> dict[str, float]:
    """Return ns/day of both, their ratio, and the share of writing.

    The two take turns, and each WE run is set beside the mean of the bare runs before
    and after it, since a shared machine drifts; medians over repeats.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        system = prepare_chignolin(folder / "system")
        bare, ours, shares = [run_bare(system)], [], []
        for repeat in range(n_repeats):
            run = folder / f"we_{repeat}"
            seconds = run_weft(system, run, n_iterations)
            ours.append(N_SEGMENTS * SEGMENT_PS / PS_PER_NS / seconds * SECONDS_PER_DAY)
            shares.append(seconds_to_write(run) / seconds)
            bare.append(run_bare(system))
    beside = [(a + b) / 2 for a, b in itertools.pairwise(bare)]
    return {
        "bare_ns_per_day": statistics.median(bare),
        "weft_ns_per_day": statistics.median(ours),
        "efficiency": statistics.median(
            a / b for a, b in zip(ours, beside, strict=True)
        ),
        "journal_share": statistics.median(shares),
    }


def prepare_chignolin(out: Path) -> Path:
    """Write the system folder of chignolin in implicit water."""
    from apps.science.systems.config import SystemConfig
    from apps.science.systems.prepare import prepare_system

    config = SystemConfig(fold="chignolin", solvent="obc2", equilibration_ps=1)
    return prepare_system(config, 5, out)


BARE = """
import sys, time
import openmm
from openmm import unit
import numpy as np

folder, n_steps = sys.argv[1], int(sys.argv[2])
system = openmm.XmlSerializer.deserialize(open(folder + "/system.xml").read())
integrator = openmm.LangevinMiddleIntegrator(300, 1 / unit.picosecond, 0.004)
platform = openmm.Platform.getPlatformByName("CPU")
context = openmm.Context(system, integrator, platform, {"Threads": "1"})
context.setPositions(np.load(folder + "/starts.npz")["positions"][0] / 10)
context.setVelocitiesToTemperature(300)
integrator.step(200)
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
began = time.perf_counter()
integrator.step(n_steps)
context.getState(positions=True)
print(time.perf_counter() - began)
"""


def run_bare(system: Path) -> float:
    """Return the ns/day of one process per core, all at once."""
    n_steps = STEPS_PER_SEGMENT * N_SEGMENTS // N_WORKERS
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", BARE, str(system), str(n_steps)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(N_WORKERS)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    answers = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        answers.append(float(process.communicate()[0]))
    ps = SEGMENT_PS * N_SEGMENTS // N_WORKERS
    return sum(ps / PS_PER_NS / seconds * SECONDS_PER_DAY for seconds in answers)


def run_weft(system: Path, folder: Path, n_iterations: int) -> float:
    """Run WE from the command's own parts; return the seconds of an iteration."""
    import parsl

    from apps.propagate import compute_start_pcoords, propagate_block
    from apps.science.we.config import RectilinearBins, WEConfig
    from apps.science.we.dispatch import Block, Dispatch, block_sizer
    from apps.science.we.engine import Starts, prepare_folder, run_we
    from apps.science.we.spec import PropagationSpec
    from site_configs.build import build_config
    from site_configs.load import load_site

    propagator = {
        "kind": "openmm", "system_dir": str(system), "platform": "CPU",
        "n_steps": STEPS_PER_SEGMENT, "n_steps_per_frame": STEPS_PER_FRAME,
    }  # fmt: skip
    pcoord = {"kind": "rmsd", "reference": str(system / "protein.pdb")}
    spec = PropagationSpec(3, propagator, pcoord, str(system / "starts.npz"))
    config = WEConfig(
        n_iterations=n_iterations + 1,
        walkers_per_bin=N_SEGMENTS,
        bins=RectilinearBins(edges=((1e6,),)),
    )
    path = prepare_folder(folder, config, spec, STEPS_PER_SEGMENT // STEPS_PER_FRAME)

    def submit(block: Block) -> Any:
        origins = [(origin.shard, origin.row) for origin in block.origins]
        return propagate_block(
            path, block.n_iter, block.seg_ids, block.parent_ids, origins, block.out
        )

    ticks: list[float] = []
    sizer = block_sizer("auto", N_WORKERS, spec.blocks_per_worker)
    dispatch = Dispatch(
        submit, sizer, lambda record: ticks.append(time.perf_counter()),
        lambda *_: None, n_slots=N_WORKERS,
    )  # fmt: skip
    site = build_config(load_site("local"), folder / "parsl", roles=["md"])
    with parsl.load(site):
        pcoords = compute_start_pcoords(path).result()[:1]
        run_we(folder, config, 3, Starts(["fold"], [1.0], pcoords), dispatch)
    return statistics.median(b - a for a, b in itertools.pairwise(ticks))


def seconds_to_write(folder: Path) -> float:
    """Return what shards, journal and snapshot of one iteration take to write.

    The run's last iteration is written once more from memory; shards are written by
    as many workers as there are, so their time is shared.
    """
    from apps.science.propagators.base import Frames, States
    from apps.science.we.storage import journal, shards
    from apps.science.we.storage.snapshots import Snapshots

    records = folder / "journal"
    record = journal.read_record(records, journal.last_closed(records))
    held = []
    for shard in record.shards:
        with shards.open_shard(Path(shard)) as h5:
            held.append({name: h5[name][:] for name in shards.DATASETS if name in h5})
    began = time.perf_counter()
    for k, data in enumerate(held):
        final = States(data["final_positions"], data["final_velocities"])
        frames = Frames(data["positions"], data["forces"], final, data["seg_id"] < 0)
        shards.write_shard(
            folder / "again" / f"seg_{k}.h5", record.n_iter, list(data["seg_id"]),
            list(data["parent_id"]), list(data["attempt"]), data["pcoord"], frames, 0.0,
        )  # fmt: skip
    on_workers = (time.perf_counter() - began) / N_WORKERS
    began = time.perf_counter()
    journal.write_record(records, record)
    Snapshots(folder).take(now=True)
    return on_workers + time.perf_counter() - began


if __name__ == "__main__":
    print(measure_openmm(1, 2))
