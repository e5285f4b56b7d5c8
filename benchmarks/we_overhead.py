"""What an iteration costs beside the dynamics: weft and stock WESTPA, side by side.

Every figure is taken in a process of its own, since westpa.rc is global, and the
engines take turns so that a busy machine is busy for all. ``--profile`` prints where
weft's own time goes in the driver. The last line is one JSON object.
"""

import argparse
import cProfile
import itertools
import json
import os
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openmm_sampling import measure_openmm

N_WORKERS = 2
WARM_UP = 3
"""Iterations before the count begins: workers start, engines load."""
TURNS = [
    ("weft", 33, 0), ("serial", 33, 1), ("processes", 33, 1), ("processes", 33, 6),
    ("zmq", 33, 1), ("zmq", 33, 6), ("weft", 500, 0),
]  # fmt: skip
"""Engine, segments, segments per task (0: weft's own choice)."""
NAMES = {0: "auto", 1: "1, the default", 6: "6, as weft chooses"}


def main() -> None:
    """Take every figure and print a table, then the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two minutes in all")
    parser.add_argument("--profile", action="store_true", help="weft alone, profiled")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        measure(**json.loads(asked.child))
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    scripts = str(Path(sys.executable).parent)
    os.environ["PATH"] = scripts + os.pathsep + os.environ["PATH"]
    if asked.profile:
        for n in (33, 500):
            call("weft", n, 0, 30, profile=True)
        return
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    print(f"{os.cpu_count()} cores, {N_WORKERS} workers, load before: {load}")
    n_repeats, n_iterations = (1, 15) if asked.quick else (3, 40)
    found: dict[tuple[str, int, int], list[float]] = {turn: [] for turn in TURNS}
    drains: dict[str, list[float]] = {"drain_weft": [], "drain_stock": []}
    for _ in range(n_repeats):
        for turn in TURNS:
            found[turn].append(call(*turn, n_iterations))
        for name, values in drains.items():
            values.append(call(name, 2000, 0, 1))
    ms = {turn: statistics.median(values) for turn, values in found.items()}
    print("engine       segments  per task             ms/iteration  from, to")
    for (engine, n, block), value in ms.items():
        low, high = min(found[engine, n, block]), max(found[engine, n, block])
        left = f"{engine:<12} {n:>8}  {NAMES[block]:<20}"
        print(f"{left} {value:>12.1f}  {low:.1f}, {high:.1f}")
    drain = {name: statistics.median(values) for name, values in drains.items()}
    print(f"drain of 2,000: {drain['drain_weft']:.4f} s; "
          f"stock wait_any {drain['drain_stock']:.2f} s")  # fmt: skip
    sampled = measure_openmm(*((2, 2) if asked.quick else (5, 3)))
    print(
        f"chignolin, OBC2, segments of 4 ps: weft {sampled['weft_ns_per_day']:.0f} "
        f"ns/day, bare OpenMM {sampled['bare_ns_per_day']:.0f} ns/day, two cores"
    )
    ours = ms["weft", 33, 0]
    best = {
        peer: min(value for turn, value in ms.items() if turn[0] == peer)
        for peer in ("processes", "zmq")
    }
    result = {
        "ms_33": ours,
        "ratio_processes_33": ours / best["processes"],
        "ratio_zmq_33": ours / best["zmq"],
        "ms_500": ms["weft", 500, 0],
        "drain_2000_s": drain["drain_weft"],
        "openmm_efficiency": sampled["efficiency"],
        "journal_share": sampled["journal_share"],
    }
    print(json.dumps({key: round(value, 4) for key, value in result.items()}))


def call(
    engine: str, n: int, block: int, n_iterations: int, profile: bool = False,
    site: str = "local",
) -> float:  # fmt: skip
    """Return one figure, measured in a process of its own."""
    asked = {
        "engine": engine, "n": n, "block": block, "n_iterations": n_iterations,
        "profile": profile, "site": site,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, __file__, "--child", json.dumps(asked)],
        stdout=subprocess.PIPE, text=True, check=True, timeout=300,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    if profile:
        print("\n".join(lines[:-1]))
    return float(lines[-1])


def measure(
    engine: str, n: int, block: int, n_iterations: int, profile: bool, site: str
) -> None:
    """Take one figure and print it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if engine.startswith("drain"):
            print(drain(engine, n, folder))
        else:
            run = (
                (
                    lambda tick: run_weft(
                        folder, n, block, n_iterations, tick, profile, site
                    )
                )
                if engine == "weft"
                else (lambda tick: run_stock(engine, n, block, n_iterations, tick))
            )
            os.chdir(folder)  # WESTPA's config names files in its own folder
            print(milliseconds_per_iteration(run))
            os.chdir("/")


def milliseconds_per_iteration(run: Callable[[Callable[[], None]], None]) -> float:
    """Return the median time between two closings of an iteration."""
    ticks: list[float] = []
    run(lambda: ticks.append(time.perf_counter()))
    gaps = [b - a for a, b in itertools.pairwise(ticks)]
    return 1000 * statistics.median(gaps[WARM_UP:])


def run_weft(
    folder: Path,
    n: int,
    block: int,
    n_iterations: int,
    tick: Callable[[], None],
    profile: bool,
    site_name: str = "local",
) -> None:
    """Run weft's engine, its blocks as Parsl tasks on a site."""
    import numpy as np
    import parsl

    from apps.propagate import compute_start_pcoords, propagate_block
    from apps.science.we.config import RectilinearBins, WEConfig
    from apps.science.we.dispatch import Block, Dispatch, block_sizer
    from apps.science.we.engine import Starts, prepare_folder, run_we
    from apps.science.we.spec import PropagationSpec
    from site_configs.build import build_config
    from site_configs.load import load_site

    starts = folder / "starts.npz"
    np.savez(starts, positions=np.zeros((1, 1, 3)), velocities=np.zeros((1, 1, 3)))
    config = WEConfig(
        n_iterations=n_iterations + WARM_UP + 1,
        walkers_per_bin=n,
        segments_per_block=block or "auto",
        bins=RectilinearBins(edges=((1e6,),)),
        one_bin_patience=0,
    )
    toy = {"kind": "toy", "potential": "none", "n_steps": 1, "n_steps_per_frame": 1}
    spec = PropagationSpec(7, toy, {"kind": "cartesian"}, str(starts))
    path = prepare_folder(folder, config, spec, 1)

    def submit(block: Block) -> Any:
        origins = [(origin.shard, origin.row) for origin in block.origins]
        return propagate_block(
            path, block.n_iter, block.seg_ids, block.parent_ids, origins, block.out
        )

    sizer = block_sizer(config.segments_per_block, N_WORKERS, spec.blocks_per_worker)
    dispatch = Dispatch(submit, sizer, lambda record: tick(), lambda *_: None)
    site = build_config(load_site(site_name), folder / "parsl", roles=["md"])
    with parsl.load(site):
        pcoords = compute_start_pcoords(path).result()
        profiler = cProfile.Profile()
        if profile:
            profiler.enable()
        run_we(folder, config, 7, Starts(["origin"], [1.0], pcoords), dispatch)
        profiler.disable()
    if profile:
        print(f"{n} segments, {config.n_iterations} iterations, the driver's thread:")
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(45)


STILL = """
from westpa.core.propagators import WESTPropagator
from westpa.core.segment import Segment

class Still(WESTPropagator):
    def get_pcoord(self, state):
        state.pcoord = [0.0]

    def propagate(self, segments):
        for segment in segments:
            segment.pcoord[1:] = segment.pcoord[0]
            segment.status = Segment.SEG_STATUS_COMPLETE
        return segments
"""
WEST_CFG = """
west:
  system:
    system_options:
      pcoord_ndim: 1
      pcoord_len: 2
      pcoord_dtype: !!python/name:numpy.float64 ''
      bins: {{type: RectilinearBinMapper, boundaries: [[-inf, 1.0e+6, inf]]}}
      bin_target_counts: {n}
  propagation:
    propagator: still.Still
    propagator_block_size: {block}
    max_total_iterations: {last}
    gen_istates: false
  data: {{west_data_file: west.h5}}
  drivers: {{module_path: $WEST_SIM_ROOT}}
"""


def run_stock(
    engine: str, n: int, block: int, n_iterations: int, tick: Callable[[], None]
) -> None:
    """Run stock WESTPA in the current folder with one of its work managers."""
    import westpa
    from westpa.core.states import BasisState

    Path("still.py").write_text(STILL)
    last = n_iterations + WARM_UP + 1
    Path("west.cfg").write_text(WEST_CFG.format(n=n, block=block, last=last))
    rc = westpa.rc
    rc.status_stream = Path("west.log").open("w")  # noqa: SIM115 - until the end
    rc.read_config("west.cfg")
    rc.process_config()
    manager = rc.get_sim_manager()
    manager.system = rc.get_system_driver()
    for name in ("data_manager", "we_driver", "propagator"):
        part = getattr(rc, f"get_{name}")()
        part.system = manager.system
        setattr(manager, name, part)
    with make_stock_manager(engine) as rc.work_manager:
        manager.work_manager = rc.work_manager
        manager.initialize_simulation([BasisState("origin", 1.0)], [], [])
        manager.register_callback(manager.finalize_iteration, tick)
        manager.prepare_run()
        manager.run()
        manager.finalize_run()


def make_stock_manager(engine: str) -> Any:
    """Return one of WESTPA's work managers with two workers."""
    from westpa import work_managers
    from westpa.work_managers.zeromq import ZMQWorkManager

    if engine == "serial":
        return work_managers.SerialWorkManager()
    if engine == "processes":
        return work_managers.ProcessWorkManager(N_WORKERS)
    return ZMQWorkManager(n_local_workers=N_WORKERS)


def drain(engine: str, n: int, folder: Path) -> float:
    """Return the seconds in which ``wait_any`` hands out ``n`` finished futures."""
    manager: Any
    if engine == "drain_stock":
        from westpa.work_managers import SerialWorkManager

        manager = SerialWorkManager()
    else:
        from apps.work_manager import ParslWorkManager
        from site_configs.build import build_config
        from site_configs.load import load_site

        config = build_config(load_site("local"), folder / "parsl", roles=["md"])
        manager = ParslWorkManager(config)
    with manager:
        pending = {manager.submit(abs, (x,)) for x in range(n)}
        manager.wait_all(pending)
        began = time.perf_counter()
        while pending:
            pending.remove(manager.wait_any(pending))
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
