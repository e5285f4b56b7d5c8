"""Fill a disk at every size, for each writer: right bytes, or an error that says so.

``python fill_disk.py FOLDER tmpfs|ext4|limit WRITER...`` writes counts.json: how often
each outcome was seen. ``tmpfs`` and ``ext4`` mount one on a folder of its
own (run it in a mount namespace); ``limit`` bounds the size of a file instead.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from apps.science.content import hash_content
from apps.science.disk import free_bytes, is_disk_full
from apps.science.errors import DiskFullError
from apps.science.files import atomic_path, copy_file, write_json
from apps.science.propagators.base import Frames, States

PAGE = 4096
DISK = 768 * 1024
_DCD_HEADER = 300
"""It holds the time of day."""
RNG = np.random.default_rng(5)
N_SEGMENTS, N_FRAMES, N_ATOMS = 3, 4, 10
POSITIONS = RNG.normal(size=(N_SEGMENTS, N_FRAMES, N_ATOMS, 3)).astype("f4")


def write_shard(out: Path) -> None:
    from apps.science.we.storage import shards

    ends = States(POSITIONS[:, -1], POSITIONS[:, 0])
    frames = Frames(POSITIONS, 2 * POSITIONS, ends, np.zeros(N_SEGMENTS, bool))
    ids = list(range(N_SEGMENTS))
    pcoord = POSITIONS[..., 0, :2].astype(float)
    shards.write_shard(out, 1, ids, ids, [0] * N_SEGMENTS, pcoord, frames, 1.0)


def write_frames(out: Path) -> None:
    from apps.science.segments.frames import WeightedFrames

    n = N_SEGMENTS * N_FRAMES
    frames = POSITIONS.reshape(n, N_ATOMS, 3)
    index = np.arange(n)
    WeightedFrames(frames, np.full(n, 1 / n), index, index, index * 0.5).write(out)


def write_walk(out: Path) -> None:
    from apps.science.benchmark import reference

    chunk = source("chunk.npz")
    if not chunk.exists():
        np.savez(
            chunk, recorded=POSITIONS[0], positions=POSITIONS[:1, 0],
            velocities=POSITIONS[:1, 1],
        )  # fmt: skip
    plan = reference._Plan(N_FRAMES, N_FRAMES, 5)
    reference._merge([chunk], plan, 1.0, "identity", 0, out)


def write_store(out: Path) -> None:
    from apps.science.segments.store import create_store

    create_store(out, N_ATOMS)


def write_copy_of_store(out: Path) -> None:
    from apps.science.segments.equilibrium_store import note_absence
    from apps.science.segments.store import create_store

    create_store(out, N_ATOMS)
    note_absence(out, "too short " * 200)


def write_dataset(out: Path) -> None:
    from apps.science.cg.dataset import file

    with file.create_file(out) as h5:
        h5.create_group("meta").attrs["schema"] = file.SCHEMA
        group = h5.create_group("mol/0")
        n = 150
        file.create_vectors(group, n, N_ATOMS)
        writer = file.VectorWriter(group, file.ContentDigest())
        values = np.tile(POSITIONS[0, 0], (n, 1, 1)) * np.arange(n)[:, None, None]
        writer.add({name: values.astype("f4") for name in file.VECTORS})
        group["weight"] = np.full(n, 1 / n)


def write_compressed(out: Path) -> None:
    from apps.science.hdf5 import atomic_hdf5

    with atomic_hdf5(out) as h5:
        numbers = np.random.default_rng(1).integers(0, 1 << 40, 4000)
        h5.create_dataset(
            "n", data=numbers, chunks=(1 << 10,), compression="gzip", shuffle=True
        )
        h5["where/path"] = np.array(["shards/a.h5"] * 500, h5py.string_dtype())


def write_snapshot(out: Path) -> None:
    from apps.science.we.storage.snapshots import Snapshots

    west_h5 = source("west.h5")
    if not west_h5.exists():
        with h5py.File(west_h5, "w") as h5:
            h5["some"] = POSITIONS
    snapshots = Snapshots(out.parent)
    snapshots.west_h5, snapshots.copy = west_h5, out
    snapshots.take(now=True)


def write_edit(out: Path) -> None:
    from apps.science.hdf5 import edit_hdf5

    west_h5 = source("west.h5")
    write_snapshot(out)
    copy_file(west_h5, out)
    with edit_hdf5(out) as h5:
        h5.attrs["weft_seed"] = 7
        h5["more"] = np.arange(6000)


def write_trajectory(out: Path) -> None:
    from apps.science.segments import export

    kind: Any = out.suffix[1:]
    frames = np.concatenate([POSITIONS.reshape(-1, N_ATOMS, 3)] * 12)
    with export.open_trajectory(out, kind) as write:
        for k in range(4):
            write(frames, np.arange(len(frames)) + float(k))


def write_iteration(out: Path) -> None:
    import mdtraj

    from apps.science.segments import export_westpa
    from apps.science.segments.closed import ClosedSegments

    topology = mdtraj.Topology()
    residue = topology.add_residue("ALA", topology.add_chain())
    for _ in range(N_ATOMS):
        topology.add_atom("CA", mdtraj.element.carbon, residue)
    ids = np.arange(N_SEGMENTS)
    pcoord = np.zeros((N_SEGMENTS, N_FRAMES, 1))
    block = ClosedSegments(1, ids, ids, np.ones(N_SEGMENTS), POSITIONS, pcoord)
    with export_westpa.open_iteration(out) as handle:
        handle.append(topology, block, 1.0)


def write_text_json(out: Path) -> None:
    write_json(out, {"numbers": list(range(4000))})


def write_npz(out: Path) -> None:
    with atomic_path(out) as temporary, temporary.open("wb") as handle:
        np.savez(handle, a=POSITIONS, b=np.arange(5000))


def write_checkpoint(out: Path) -> None:
    import torch

    from apps.science.cg.checkpoint import write_checkpoint as write

    write(out, {"kind": "none"}, {"a": torch.arange(9000)}, {"epoch": 1})


WRITERS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "shard": ("seg.h5", write_shard),
    "frames": ("frames.h5", write_frames),
    "walk": ("walk.h5", write_walk),
    "store": ("segments.h5", write_store),
    "copy_of_store": ("segments.h5", write_copy_of_store),
    "dataset": ("dataset.h5", write_dataset),
    "compressed": ("segments.h5", write_compressed),
    "snapshot": ("west.h5.snapshot", write_snapshot),
    "edit": ("west.h5", write_edit),
    "dcd": ("segments.dcd", write_trajectory),
    "xtc": ("segments.xtc", write_trajectory),
    "iteration": ("iter_000001.h5", write_iteration),
    "json": ("a.json", write_text_json),
    "npz": ("a.npz", write_npz),
    "checkpoint": ("a.pt", write_checkpoint),
}
BASE = Path(sys.argv[1])


def source(name: str) -> Path:
    """Return a file that lies outside the disk that fills."""
    (BASE / "sources").mkdir(exist_ok=True)
    return BASE / "sources" / name


def content(path: Path) -> Any:
    """Return what is in a file, HDF5 by its datasets and attributes."""
    if path.suffix == ".pt":
        return hash_content(path)  # without the time of day
    if path.suffix == ".dcd":
        return path.read_bytes()[_DCD_HEADER:]
    if not h5py.is_hdf5(path):
        return path.read_bytes()
    found: dict[str, Any] = {}
    with h5py.File(path, "r", locking=False) as h5:
        found["/"] = {key: repr(value) for key, value in h5.attrs.items()}

        def visit(name: str, item: Any) -> None:
            found[name] = {key: repr(value) for key, value in item.attrs.items()}
            if isinstance(item, h5py.Dataset):
                values = item[()]
                found[name]["data"] = (
                    values.tolist() if values.dtype == object else values.tobytes()
                )

        h5.visititems(visit)
    return found


def try_once(write: Callable[[Path], None], out: Path, right: Any) -> str:
    """Return what came of a write: right, full, or what else."""
    try:
        write(out)
    except DiskFullError as error:
        said = str(error)
        if "disk is full" not in said or str(out.parent) not in said:
            return f"unclear: {said}"
        left = [p.name for p in out.parent.iterdir() if p.name.startswith(".")]
        return f"left {left}" if left else "full"
    except BaseException as error:
        return f"{type(error).__name__} (full: {is_disk_full(error)}): {error}"
    return "right" if content(out) == right else "WRONG"


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def mount(disk: str, folder: Path) -> None:
    """Put a file system of DISK bytes on a folder, or nothing for ``limit``."""
    if disk == "tmpfs":
        what = ["-t", "tmpfs", "-o", f"size={DISK}", "none"]
    elif disk == "ext4":
        image = BASE / "image"
        image.write_bytes(bytes(DISK))
        make = ["mkfs.ext4", "-q", "-b", str(PAGE), "-m", "0", "-O", "^has_journal"]
        subprocess.run([*make, image], check=True)
        what = ["-o", "loop", str(image)]
    else:
        return
    subprocess.run(["mount", *what, folder], check=True)
    for path in folder.iterdir():
        path.rmdir()  # lost+found


def main(disk: str, names: list[str]) -> None:
    folder = BASE / "disk"
    folder.mkdir()
    mount(disk, folder)
    counts: dict[str, dict[str, int]] = {}
    for name in names or list(WRITERS):
        file, write = WRITERS[name]
        out = source("") / f"right_{name}" / file
        out.parent.mkdir()
        write(out)
        right, size = content(out), out.stat().st_size
        seen = counts[name] = {}
        n_right = 0
        for n_bytes in range(0, DISK + PAGE, PAGE):
            outcome = under(disk, folder, n_bytes, write, folder / file, right)
            seen[outcome] = seen.get(outcome, 0) + 1
            n_right = n_right + 1 if outcome == "right" else 0
            if n_right == 4 and n_bytes > size:
                break
    (BASE / "counts.json").write_text(json.dumps(counts, indent=1))


def under(
    disk: str, folder: Path, n_bytes: int, write: Any, out: Path, right: Any
) -> str:
    """Write ``out`` where ``n_bytes`` are left."""
    if disk == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, resource.RLIM_INFINITY))
        try:
            return try_once(write, out, right)
        finally:
            infinity = resource.RLIM_INFINITY
            resource.setrlimit(resource.RLIMIT_FSIZE, (infinity, infinity))
            empty(folder)
    ballast = free_bytes(folder) - n_bytes
    if ballast > 0:
        # ext4 needs blocks of its own: then it is full
        with suppress(OSError), (folder / "ballast").open("wb") as handle:
            os.posix_fallocate(handle.fileno(), 0, ballast)
    try:
        return try_once(write, out, right)
    finally:
        empty(folder)


if __name__ == "__main__":
    main(sys.argv[2], sys.argv[3:])
