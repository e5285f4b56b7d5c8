"""From shards to a training set: how fast, in how much memory, and does it feed a rank.

A WE folder of chignolin's size is made (4 GiB of positions and forces in 3,000 shards;
a tenth with ``--quick``), read once so that it lies in the file cache, and deleted at
the end. Ours verifies every shard against its digest, joins frames and weights, maps
positions and forces to beads, and writes the training set with its split; once more
with a prior of three terms, whose forces are subtracted. Beside it the plain way:
segment by segment, open the shard, map, append to an HDF5 file. Rates are per second
of a core (process time), so that other work on the machine does not count.
``--layouts`` compares where frames may lie: in their shards, in a copy, or in a virtual
dataset. Each figure is taken in a process of its own; the last line is one JSON object.
"""

import argparse
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

N_ITERATIONS, N_QUICK = 500, 50
N_APPENDED = 4
"""Iterations that the plain way is timed on."""
TRAIN_S, QUICK_TRAIN_S = 20.0, 5.0
MB, MIB = 1e6, 2**20


def main() -> None:
    """Take every figure and print a table, then the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="within a minute")
    parser.add_argument("--layouts", action="store_true", help="where frames may lie")
    parser.add_argument("--folder", type=Path, help="where to make the data")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        name, *arguments = json.loads(asked.child)
        print(json.dumps(CHILDREN[name](*arguments)))
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    print(f"{os.cpu_count()} cores, load before: {load}")
    n = N_QUICK if asked.quick else N_ITERATIONS
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        found = take_figures(name, n, asked.quick, asked.layouts)
    print(json.dumps({key: round(value, 4) for key, value in found.items()}))


def take_figures(
    folder: str, n_iterations: int, quick: bool, layouts: bool
) -> dict[str, float]:
    """Return the figures; what they were made of is printed."""
    began = time.perf_counter()
    made = call("make", folder, n_iterations)
    print(
        f"{made['mb'] * MB / 2**30:.2f} GiB of frames in "
        f"{made['n_shards']} shards, {made['n_segments']} segments, made in "
        f"{time.perf_counter() - began:.0f} s"
    )
    turns = 1 if quick else 2
    ours, plain = [], []
    for _ in range(turns):  # they take turns: a busy machine is busy for both
        ours.append([call("ingest", folder, n_iterations, prior) for prior in PRIORS])
        plain.append([call("append", folder, how) for how in PLAIN])
    mb, rates = made["mb"], []
    for k, prior in enumerate(PRIORS):
        turns_of = [one[k] for one in ours]
        cpu, wall, verify, dataset, peak = (
            statistics.median(one[name] for one in turns_of)
            for name in ("cpu", "wall", "verify", "dataset", "peak_mib")
        )
        rates.append((mb / cpu, mb / wall, peak))
        print(
            f"ours, {prior}: {mb / cpu:.0f} MB/s a core ({mb / wall:.0f} by the "
            f"clock; verifying {mb / verify:.0f}, mapping and writing "
            f"{mb / dataset:.0f}), peak {peak:.0f} MiB"
        )
    rate = rates[0][0]
    appended = {}
    for k, how in enumerate(PLAIN):
        appended[how] = statistics.median(one[k]["rate"] for one in plain)
        print(f"segment by segment, {how}: {appended[how]:.1f} MB/s a core")
    seconds = QUICK_TRAIN_S if quick else TRAIN_S
    waits = {how: call("train", folder, how, seconds) for how in ("cold", "warm")}
    for how, one in waits.items():
        print(
            f"training, default torchmd_net, {how} file: {one['frames_per_s']:.0f} "
            f"frames/s, {100 * one['share']:.2f} % of the time waits for frames"
        )
    if layouts:
        print_layouts(folder, n_iterations)
    return {
        "mb_per_s": rate,
        "mb_per_s_wall": rates[0][1],
        "mb_per_s_prior": rates[1][0],
        "ratio_append": rate / appended[PLAIN[0]],
        "ratio_append_open": rate / appended[PLAIN[1]],
        "peak_mib": max(one[2] for one in rates),
        "loader_wait_share": max(one["share"] for one in waits.values()),
        "input_gib": mb * MB / 2**30,
    }


def call(*arguments: Any) -> dict[str, Any]:
    """Run one of CHILDREN in a process of its own."""
    answer = subprocess.run(
        [sys.executable, __file__, "--child", json.dumps(arguments)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    result: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return result


def make(folder: str, n_iterations: int) -> dict[str, float]:
    """Make the data and read it once."""
    from ingestion_data import BYTES_PER_ITERATION, N_SEGMENTS, make_run

    make_run(Path(folder), n_iterations)
    files = sorted(Path(folder).glob("we/shards/*/*.h5"))
    for path in files:
        path.read_bytes()
    return {
        "mb": n_iterations * BYTES_PER_ITERATION / MB,
        "n_shards": len(files),
        "n_segments": n_iterations * N_SEGMENTS,
    }


PRIORS = {"no prior": "no_prior.yaml", "prior of three terms": "prior.yaml"}


def run_ours(folder: str, n_iterations: int, prior: str) -> dict[str, float]:
    """Ingest and write the training set on one core; return seconds and memory."""
    import torch

    from apps.science.cg.dataset import frame_checks  # noqa: F401  # loaded by now
    from apps.science.cg.dataset.write import DatasetConfig, write_dataset
    from apps.science.cg.prior import priors  # noqa: F401
    from apps.science.segments.ingest import ingest

    torch.set_num_threads(1)
    root = Path(folder)
    with tempfile.TemporaryDirectory(dir=root) as name:
        store = Path(name) / "segments.h5"
        began, cpu = time.perf_counter(), time.process_time()
        ingest(root / "we", store, n_iterations)
        middle = time.process_time()
        write_dataset(
            store, root / "mapping.json", root / PRIORS[prior], DatasetConfig(), 1,
            root / "dataset.h5",
        )  # fmt: skip
        end = time.process_time()
        wall = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "wall": wall, "cpu": end - cpu, "verify": middle - cpu,
        "dataset": end - middle, "peak_mib": peak,
    }  # fmt: skip


PLAIN = ("file opened for each segment", "file kept open")


def run_plain(folder: str, how: str) -> dict[str, float]:
    """Append segment by segment; return MB/s of process time."""
    import h5py
    import numpy as np
    from ingestion_data import BYTES_PER_ITERATION, N_BEADS

    from apps.science.cg.mapping.mapping import read_mapping
    from apps.science.we.storage import journal

    root = Path(folder)
    mapping = read_mapping(root / "mapping.json")
    names = ("weight", "n_iter", "seg_id", "frame", "parent")
    with tempfile.TemporaryDirectory(dir=root) as name:
        out = Path(name) / "appended.h5"
        with h5py.File(out, "w") as h5:
            for one in ("pos", "force_cg"):
                h5.create_dataset(
                    one, (0, N_BEADS, 3), "f4", maxshape=(None, N_BEADS, 3)
                )
            for one in names:
                h5.create_dataset(one, (0,), "f8", maxshape=(None,))
        kept = None if how == PLAIN[0] else h5py.File(out, "a")
        cpu = time.process_time()
        for n_iter in range(1, N_APPENDED + 1):
            record = journal.read_record(root / "we" / "journal", n_iter)
            for segment in record.segments:
                with h5py.File(segment.shard) as shard:
                    positions = shard["positions"][segment.row]
                    forces = shard["forces"][segment.row]
                n = len(positions)
                values = {
                    "pos": mapping.map_positions(positions),
                    "force_cg": mapping.map_forces(forces),
                    "weight": np.full(n, segment.weight),
                    "n_iter": np.full(n, n_iter),
                    "seg_id": np.full(n, segment.seg_id),
                    "frame": np.arange(n),
                    "parent": np.full(n, segment.parent_id),
                }
                h5 = kept or h5py.File(out, "a")
                for one, value in values.items():
                    first = len(h5[one])
                    h5[one].resize(first + n, axis=0)
                    h5[one][first:] = value
                if kept is None:
                    h5.close()
        if kept is not None:
            kept.close()
        cpu = time.process_time() - cpu
    return {"rate": N_APPENDED * BYTES_PER_ITERATION / MB / cpu}


def run_training(folder: str, how: str, seconds: float) -> dict[str, float]:
    """Train for a while; return the share of time that is spent reading frames."""
    import torch

    from apps.science.learning.loop import train
    from apps.science.tasks.force_matching.config import TrainingJob
    from apps.science.tasks.force_matching.data import FrameSet

    torch.set_num_threads(1)
    path = Path(folder) / "dataset.h5"
    if how == "cold":
        with path.open("rb") as handle:
            os.fsync(handle.fileno())
            os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    else:
        path.read_bytes()
    waited, read, marks = [0.0, 0], FrameSet.read, [0.0]

    def timed(self: FrameSet, rows: Any) -> Any:
        began = time.perf_counter()
        marks[0] = marks[0] or began
        found = read(self, rows)
        waited[0] += time.perf_counter() - began
        waited[1] += len(rows)
        return found

    FrameSet.read = timed  # type: ignore[method-assign]
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGTERM)).start()
    with tempfile.TemporaryDirectory() as name:
        job = TrainingJob(
            dataset=path, out=Path(name), device="cpu", model={"kind": "torchmd_net"}
        )
        train(job)
    total = time.perf_counter() - marks[0]
    return {"share": waited[0] / total, "frames_per_s": waited[1] / total}


def print_layouts(folder: str, n_iterations: int) -> None:
    """Print what joining costs, and reading then, for three places of frames."""
    for how in ("shards", "copy", "virtual"):
        one = call("layout", folder, how, min(n_iterations, 100))
        print(
            f"frames in {how:7}: joined in {one['join']:.2f} s, {one['mib']:.0f} MiB, "
            f"read in order at {one['rate']:.0f} MB/s, 200 at random in "
            f"{1e3 * one['random']:.0f} ms, {one['files']:.0f} files held open"
        )


def measure_layout(folder: str, how: str, n_iterations: int) -> dict[str, float]:
    """Join frames in one way, and read them in order and at random."""
    import h5py
    import numpy as np
    from ingestion_data import BYTES_PER_ITERATION, N_ATOMS

    from apps.science.segments.ingest import ingest
    from apps.science.segments.sharded import places_of
    from apps.science.segments.store import iterate_frames, open_store

    root = Path(folder)
    with tempfile.TemporaryDirectory(dir=root) as name:
        store, path = Path(name) / "segments.h5", Path(name) / "joined.h5"
        ingest(root / "we", store, n_iterations)  # verified; joined again below
        store.unlink()
        began = time.perf_counter()
        ingest(root / "we", store, n_iterations)
        join = time.perf_counter() - began
        with open_store(store) as h5:
            places = places_of(h5)
        n = places.n_frames
        if how != "shards":
            began = time.perf_counter()
            with h5py.File(path, "w") as h5:
                for what in ("positions", "forces"):
                    if how == "copy":
                        _copy(h5, store, what, n, N_ATOMS)
                    else:
                        _link(h5, places, what, n, N_ATOMS)
                h5.flush()
            join += time.perf_counter() - began
        read: Callable[[], Any] = lambda: iterate_frames(store)  # noqa: E731
        if how != "shards":
            read = lambda: _batches(path, n)  # noqa: E731
        began = time.perf_counter()
        for _ in read():
            pass
        rate = n_iterations * BYTES_PER_ITERATION / MB / (time.perf_counter() - began)
        rows = np.sort(np.random.default_rng(1).choice(n, 200, replace=False))
        began = time.perf_counter()
        with open_store(store) if how == "shards" else h5py.File(path) as h5:
            frames = h5["positions"]
            assert np.isfinite(frames[rows]).all()
            random = time.perf_counter() - began
            files = len(list(Path("/proc/self/fd").iterdir()))
        mib = sum(p.stat().st_size for p in (store, path) if p.exists()) / MIB
    return {"join": join, "rate": rate, "random": random, "files": files, "mib": mib}


def _copy(h5: Any, store: Path, what: str, n: int, n_atoms: int) -> None:
    from apps.science.segments.store import iterate_frames

    out = h5.create_dataset(what, (n, n_atoms, 3), "f4", chunks=(256, n_atoms, 3))
    first = 0
    for batch in iterate_frames(store):
        out[first : first + len(batch[what])] = batch[what]
        first += len(batch[what])


def _link(h5: Any, places: Any, what: str, n: int, n_atoms: int) -> None:
    import h5py
    import numpy as np
    from ingestion_data import N_FRAMES, PER_SHARD

    layout = h5py.VirtualLayout((n, n_atoms, 3), "f4")
    shape = (PER_SHARD, N_FRAMES, n_atoms, 3)
    for k, path in enumerate(places.paths):
        rows = slice(k * PER_SHARD * N_FRAMES, (k + 1) * PER_SHARD * N_FRAMES)
        layout[rows] = h5py.VirtualSource(places.folder / path, what, shape)
    h5.create_virtual_dataset(what, layout, fillvalue=np.nan)


def _batches(path: Path, n: int) -> Any:
    import h5py

    with h5py.File(path) as h5:
        frames = [h5[what] for what in ("positions", "forces")]
        for first in range(0, n, 8192):
            yield [one[first : first + 8192] for one in frames]


CHILDREN: dict[str, Callable[..., dict[str, float]]] = {
    "make": make, "ingest": run_ours, "append": run_plain, "train": run_training,
    "layout": measure_layout,
}  # fmt: skip


if __name__ == "__main__":
    main()
