"""A run folder with real arrays: a ten-bead hairpin that folds and unfolds.

Internal coordinates follow a slow double-well variable, so that there is a slow
coordinate for TICA to find and two basins for a model to get wrong.
"""

import json
from concurrent.futures import Future
from pathlib import Path

import h5py
import numpy as np
import yaml

from apps.science.arrays import Array
from apps.science.benchmark import compare_sets
from apps.science.metrics.base import Beads
from apps.science.pcoords._features import compute_features, feature_indices
from apps.science.pcoords.tica import TicaModel, read_tica
from apps.science.segments.frames import WeightedFrames, read_frames
from apps.science.segments.store import create_store
from apps.science.we import engine
from apps.science.we.block import compute_start_pcoords, propagate_block
from apps.science.we.config import WEConfig
from apps.science.we.dispatch import Block, Dispatch
from apps.science.we.spec import PropagationSpec
from apps.science.we.storage import journal
from apps.science.we.storage.iteration_summary import summarise, summarise_work
from apps.science.we.storage.shards import FinishedBlock

N_BEADS = 10
STAGES = [
    "prepare", "reference", "tica", "sample", "ingest", "prior", "dataset",
    "train_weighted", "train_unweighted", "benchmark_weighted",
    "benchmark_unweighted", "report",
]  # fmt: skip
START = 1_780_000_000.0
N_ITERATIONS = 30
FOLDED = np.radians([-170, -150, 60, 55, -120, -150, -170.0])
UNFOLDED = np.radians([-140, 160, -150, 170, 165, -160, 150.0])


def slow_walk(n: int, rng: np.random.Generator, start: float, tilt: float) -> Array:
    """Return (n,) of an overdamped walk in a tilted double well."""
    s = np.empty(n)
    s[0] = start
    for k in range(1, n):
        force = -4 * s[k - 1] * (s[k - 1] ** 2 - 1) + tilt
        s[k] = s[k - 1] + 0.02 * force + 0.13 * rng.normal()
    return s


def place_beads(s: Array, rng: np.random.Generator, noise: float = 1.0) -> Array:
    """Return (n, N_BEADS, 3) Angstrom from the slow variable, by internal angles."""
    n = len(s)
    share = 1 / (1 + np.exp(-3 * s))[:, None]
    turn = FOLDED - UNFOLDED
    turn = (turn + np.pi) % (2 * np.pi) - np.pi
    dihedrals = UNFOLDED + share * turn + 0.25 * noise * rng.normal(size=(n, 7))
    angles = np.radians(115 + 8 * noise * rng.normal(size=(n, 8)))
    bonds = 3.82 + 0.05 * noise * rng.normal(size=(n, 9))
    beads = np.zeros((n, N_BEADS, 3))
    beads[:, 1, 0] = bonds[:, 0]
    beads[:, 2, 0] = bonds[:, 0] - bonds[:, 1] * np.cos(angles[:, 0])
    beads[:, 2, 1] = bonds[:, 1] * np.sin(angles[:, 0])
    for k in range(3, N_BEADS):
        a, b, c = beads[:, k - 3], beads[:, k - 2], beads[:, k - 1]
        along = (c - b) / np.linalg.norm(c - b, axis=1, keepdims=True)
        normal = np.cross(b - a, along)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        third = np.cross(normal, along)
        theta, phi, r = angles[:, k - 2], dihedrals[:, k - 3], bonds[:, k - 1]
        step = (
            np.stack(
                [
                    -np.cos(theta),
                    np.sin(theta) * np.cos(phi),
                    np.sin(theta) * np.sin(phi),
                ],
                axis=1,
            )
            * r[:, None]
        )
        frame = np.stack([along, third, normal], axis=1)
        beads[:, k] = c + np.einsum("nk,nkx->nx", step, frame)
    return beads


def solve_tica(walks: list[Array], lag: int) -> TicaModel:
    """Return the two slowest components of bead distances, of unit variance."""
    indices = feature_indices("distances", N_BEADS)
    values = [compute_features("distances", w, indices) for w in walks]
    mean = np.concatenate(values).mean(axis=0)
    early = np.concatenate([v[:-lag] for v in values]) - mean
    late = np.concatenate([v[lag:] for v in values]) - mean
    level, axes = np.linalg.eigh(early.T @ early / len(early))
    whiten = axes[:, -8:] / np.sqrt(level[-8:])
    lagged = whiten.T @ (early.T @ late) @ whiten / len(early)
    slow, vectors = np.linalg.eigh((lagged + lagged.T) / 2)
    components = whiten @ vectors[:, ::-1][:, :2]
    return TicaModel(
        "distances", indices, N_BEADS, mean, components, slow[::-1][:2],
        -2.0 / np.log(slow[::-1][:2]), 2.0,
    )  # fmt: skip


def write_reference(root: Path) -> TicaModel:
    """Write two walks of 300 ps as frames and the TICA model on them."""
    rng = np.random.default_rng(3)
    walks = [place_beads(slow_walk(1500, rng, s, 0.0), rng) for s in (1.0, -1.0)]
    tica = solve_tica(walks, 10)
    tica.write(root / "reference" / "tica.npz")
    time = np.tile(np.arange(1500) * 0.2, 2)
    trajectory = np.repeat([0, 1], 1500)
    WeightedFrames(
        np.concatenate(walks).astype("f4"),
        np.ones(3000),
        trajectory * 100 + (time // 20).astype(int),
        trajectory,
        time,
    ).write(root / "reference" / "frames.h5")
    return tica


def write_ensemble(
    folder: Path, tica: TicaModel, n_iter: int, tilt: float, noise: float, seed: int
) -> WeightedFrames:
    """Write journal and shards of a WE-like run; return its frames."""
    rng = np.random.default_rng(seed)
    n_walkers, n_frames = 24, 5
    slow = np.repeat([1.0, -1.0], n_walkers // 2)
    weight = np.full(n_walkers, 1 / n_walkers)
    root_of = np.arange(n_walkers)
    kept: list[tuple[Array, ...]] = []
    for n in range(1, n_iter + 1):
        paths = np.stack([slow_walk(n_frames + 1, rng, s, tilt) for s in slow])
        beads = place_beads(paths.ravel(), rng, noise)
        beads = beads.reshape(n_walkers, n_frames + 1, N_BEADS, 3)
        pcoord = tica.project(beads.reshape(-1, N_BEADS, 3))
        pcoord = pcoord.reshape(n_walkers, n_frames + 1, 2)
        shard = f"shards/{n:06d}/seg_000000.h5"
        (folder / shard).parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(folder / shard, "w") as h5:
            h5.attrs.update({"schema": "weft-shard-1", "n_iter": n, "seconds": 0.5})
            h5["seg_id"] = np.arange(n_walkers)
            h5["pcoord"] = pcoord
        write_record(folder, n, weight, pcoord, shard)
        time = (n - 1) * 4.0 + np.arange(1, n_frames + 1) * 0.8
        for k in range(n_walkers):
            kept.append(
                (
                    beads[k, 1:], np.full(n_frames, weight[k]),
                    np.full(n_frames, root_of[k]),
                    np.full(n_frames, n * 1000 + k), time,
                )
            )  # fmt: skip
        # split the heaviest, drop the lightest into its neighbour: total stays one
        slow = paths[:, -1].copy()
        for _ in range(3):
            heavy, light = int(weight.argmax()), int(rng.integers(n_walkers))
            other = (light + 1) % n_walkers
            if len({heavy, light, other}) == 3:
                weight[other] += weight[light]
                weight[heavy] /= 2
                weight[light] = weight[heavy]
                slow[light], root_of[light] = slow[heavy], root_of[heavy]
    columns = [np.concatenate(c) for c in zip(*kept, strict=True)]
    return WeightedFrames(columns[0].astype("f4"), *columns[1:])


def write_record(
    folder: Path, n: int, weight: Array, pcoord: Array, shard: str
) -> None:
    """Write one closed iteration's journal entry; block times have stragglers."""
    rng = np.random.default_rng(n)
    n_blocks, n_slots, seconds = 6, 2, 2.0
    blocks = [
        FinishedBlock(
            n, list(range(4 * k, 4 * k + 4)), [], shard, np.zeros(0),
            float(0.55 * rng.lognormal(0.0, 0.1) + (0.4 if n % 7 == k else 0)), "",
        )
        for k in range(n_blocks)
    ]  # fmt: skip
    n_restored = 2 if n == 17 else 0
    summary = {
        **summarise(weight, pcoord),
        **summarise_work(blocks, n_restored, seconds, n_slots),
        "n_bins_occupied": int(min(12, 4 + n // 3)),
        "flux": {},
        "n_blocks_rerun": 1 if n == 9 else 0,
        "wall_s": seconds + 0.2,
        "propagate_s": seconds,
    }
    ids = list(range(len(weight)))
    journal.write_record(
        folder / "journal",
        journal.IterationRecord(
            n, 7, ids, ids, weight.tolist(), [(0, k) for k in ids],
            [str(folder / shard)], ["digest"], summary,
        ),
    )  # fmt: skip


NEW_KEYS = (
    "flux", "weight_p05", "weight_p50", "weight_p95", "segment_s", "idle_share",
    "n_slots", "n_blocks", "n_blocks_rerun", "n_blocks_restored",
)  # fmt: skip


def make_journal_old(folder: Path) -> None:
    """Rewrite a journal as the first version wrote it: a row per segment, less said."""
    for path in (folder / "journal").glob("iter_*.json"):
        body = json.loads(path.read_text())
        rows = zip(body["seg_id"], body["weight"], body["place"], strict=True)
        segments = [
            {"seg_id": k, "parent_id": k, "weight": w,
             "shard": body["shards"][shard], "row": row}
            for k, w, (shard, row) in rows
        ]  # fmt: skip
        summary = {k: v for k, v in body["summary"].items() if k not in NEW_KEYS}
        old = {"n_iter": body["n_iter"], "segments": segments, "summary": summary}
        path.write_text(json.dumps(old))


TARGET_LABEL = "right"
RECYCLED_TAU_PS = 0.4


def write_recycled_run(root: Path, n_iterations: int = 40) -> Path:
    """Write a run folder whose WE run is a real one: a double well, recycled.

    Particles start at -1 and are sent back from 0.9 on; the barrier is 3 kT.
    """
    folder = root / "we"
    folder.mkdir(parents=True)
    sample = {
        "n_iterations": n_iterations, "walkers_per_bin": 12,
        "bins": {"kind": "rectilinear", "edges": [[-0.7, -0.4, -0.1, 0.3]]},
        "targets": [{"label": TARGET_LABEL, "region": [[0.9, None]]}],
    }  # fmt: skip
    (root / "resolved.yaml").write_text(
        yaml.safe_dump(
            {"name": root.name, "type": "force_field",
             "sample": sample | {"segment_length_fs": 1000 * RECYCLED_TAU_PS}}
        )
    )  # fmt: skip
    starts = folder / "starts.npz"
    np.savez(starts, positions=[[[-1.0, 0.0, 0.0]]], velocities=np.zeros((1, 1, 3)))
    toy = {
        "kind": "toy", "n_steps": 400, "n_steps_per_frame": 400, "timestep_fs": 1.0,
        "barrier_kt": 3.0,
    }  # fmt: skip
    spec = PropagationSpec(5, toy, {"kind": "cartesian"}, str(starts))
    config = WEConfig.model_validate(sample)
    path = engine.prepare_folder(folder, config, spec, n_frames=1)

    def submit(block: Block) -> Future[FinishedBlock]:
        done: Future[FinishedBlock] = Future()
        done.set_result(
            propagate_block(
                path, block.n_iter, block.seg_ids, block.parent_ids, block.origins,
                block.out,
            )
        )  # fmt: skip
        return done

    dispatch = Dispatch(submit, lambda n: n, lambda _: None, lambda *_: None)
    begin = engine.Starts(["left"], [1.0], compute_start_pcoords(path))
    engine.run_we(folder, config, 5, begin, dispatch)
    return root


def write_settings(root: Path) -> None:
    """Write what was asked, where it ran, and what the system is."""
    root.mkdir(parents=True, exist_ok=True)
    config = {
        "name": "hairpin", "type": "force_field", "seed": 7,
        "system": {"sequence": "YYDPETGTWY"},
        "benchmark": {"segment_length_fs": 4000.0, "frame_interval_fs": 800.0},
        "sample": {"segment_length_fs": 4000.0, "n_iterations": N_ITERATIONS},
    }  # fmt: skip
    (root / "resolved.yaml").write_text(yaml.safe_dump(config))
    environment = {
        "started": "2026-05-28T20:26:40+00:00", "host": "node", "n_cores": 2,
        "memory_gib": 16.0, "python": "3.11.9", "gpus": [], "site": "local",
        "processor": "A processor", "git": None,
        "packages": {"weft": "0.1.0", "torch": "2.13.0"},
    }  # fmt: skip
    (root / "environment.json").write_text(json.dumps(environment))
    system = {
        "sequence": "YYDPETGTWY", "n_particles": 166, "solvent": "gbn2",
        "periodic": False, "temperature_kelvin": 300.0, "friction_per_ps": 1.0,
        "timestep_fs": 4.0, "start_names": ["native", "extended"],
    }  # fmt: skip
    (root / "system").mkdir(exist_ok=True)
    (root / "system" / "system.json").write_text(json.dumps(system))
    mapping = {
        "kind": "calpha", "names": ["CA"] * N_BEADS, "n_atoms": 166,
        "resids": list(range(1, N_BEADS + 1)),
        "bonds": [[k, k + 1] for k in range(N_BEADS - 1)],
    }  # fmt: skip
    (root / "cg").mkdir(exist_ok=True)
    (root / "cg" / "mapping.json").write_text(json.dumps(mapping))


def write_history(root: Path) -> None:  # noqa: C901
    """Write ledger and tasks of two workers; the first driver dies in mid-sampling."""
    lines: list[dict[str, object]] = []
    tasks: dict[int, list[dict[str, object]]] = {}

    def task(pid: int, app: str, stage: str, begin: float, end: float) -> None:
        role = "train" if app == "train" else "md"
        tasks.setdefault(pid, []).append(
            {
                "app": app, "role": role, "stage": stage, "host": "node", "pid": pid,
                "started": START + begin, "ended": START + end, "ok": True,
            }
        )  # fmt: skip

    def note(at: float, event: str, stage: str | None = None, **more: object) -> None:
        lines.append({"time": START + at, "event": event, "stage": stage} | more)

    note(0, "run_started", stages=STAGES)
    for stage, begin, end in (("prepare", 5, 25), ("reference", 25, 115),
                              ("tica", 115, 119)):  # fmt: skip
        note(begin, "started", stage)
        note(end, "done", stage, seconds=end - begin, outputs={})
    task(11, "prepare_system", "prepare", 5, 24.5)
    task(11, "simulate_walk", "reference", 25.2, 114)
    task(12, "simulate_walk", "reference", 25.2, 110)
    task(12, "fit_reference_tica", "tica", 115.1, 118.8)
    note(119, "started", "sample")
    for k in range(15):
        for pid in (11, 12):
            task(pid, "propagate_block", "sample", 119.5 + 5 * k, 124 + 5 * k)
    note(194, "started", "ingest")
    note(1000, "run_started", stages=STAGES)
    note(1004, "started", "sample")
    late = 810.0
    for k in range(15):
        for pid in (21, 22):
            begin = late + 195.5 + 5 * k
            task(pid, "propagate_block", "sample", begin, begin + 4.4)
        task(22, "ingest_iterations", "ingest", begin + 4.5, begin + 4.9)
    note(late + 271, "done", "sample", seconds=76.0, outputs={})
    note(late + 272, "done", "ingest", seconds=1.0, outputs={})
    at = late + 272
    for stage, app, length in (("prior", "fit_prior", 8.0),
                               ("dataset", "write_delta_forces", 6.0)):  # fmt: skip
        note(at, "started", stage)
        task(21, app, stage, at + 0.1, at + length)
        at += length
        note(at, "done", stage, seconds=length, outputs={})
    for pid, model in ((21, "weighted"), (22, "unweighted")):
        note(at, "started", f"train_{model}")
        task(pid, "train", f"train_{model}", at + 0.2, at + 120)
    at += 120
    for model in ("weighted", "unweighted"):
        note(at, "done", f"train_{model}", seconds=120.0, outputs={})
    for model in ("weighted", "unweighted"):
        note(at, "started", f"benchmark_{model}")
        for k in range(12):
            for pid in (21, 22):
                begin = at + 0.4 + 4 * k
                task(pid, "propagate_block", f"benchmark_{model}", begin, begin + 3.6)
        at += 50
        note(at, "done", f"benchmark_{model}", seconds=50.0, outputs={})
    note(at, "started", "report")
    (root / "ledger.jsonl").write_text("".join(json.dumps(e) + "\n" for e in lines))
    (root / "tasks").mkdir(exist_ok=True)
    for pid, done in tasks.items():
        text = "".join(json.dumps(t) + "\n" for t in done)
        (root / "tasks" / f"node-{pid}.jsonl").write_text(text)


def write_training(root: Path) -> None:
    """Write the losses of both models over 30 epochs."""
    rng = np.random.default_rng(5)
    for model, level in (("weighted", 0.9), ("unweighted", 1.0)):
        folder = root / "models" / model
        folder.mkdir(parents=True, exist_ok=True)
        rows = ["epoch,train_loss,val_loss_weighted,val_loss_unweighted,lr,seconds"]
        for epoch in range(1, 31):
            base = 20 + 25 * level * np.exp(-epoch / 6)
            noise = rng.normal(size=3) * 0.3
            losses = base + noise + np.array([0.0, 1.5, 2.5 / level])
            rows.append(f"{epoch}," + ",".join(f"{v:.5f}" for v in losses) + ",1e-3,4")
        (folder / "metrics.csv").write_text("\n".join(rows) + "\n")


def write_metrics(root: Path) -> None:
    """Judge both models with the metrics that a benchmark uses."""
    chain = [np.arange(N_BEADS - k)[:, None] + np.arange(k + 1) for k in (1, 2, 3)]
    tica = read_tica(root / "reference" / "tica.npz")
    beads = Beads(N_BEADS, *chain, tica)
    reference = read_frames(root / "reference" / "frames.h5")
    for model in ("weighted", "unweighted"):
        folder = root / "benchmark" / model
        frames = read_frames(folder / "frames.h5")
        compare_sets(
            reference, frames, frames, beads, folder / "metrics.json",
            folder / "densities.npz", 60, 1,
        )  # fmt: skip


def write_segments(path: Path, frames: WeightedFrames) -> None:
    """Write the frames as an ingested run; every walker descends from its like."""
    create_store(path, N_BEADS)
    n_iter, seg_id = np.divmod(frames.trajectory, 1000)
    columns = {
        "positions": frames.positions,
        "weight": frames.weight,
        "n_iter": n_iter,
        "seg_id": seg_id,
        "parent": seg_id,
        "frame": np.rint((frames.time_ps - (n_iter - 1) * 4.0) / 0.8) - 1,
    }
    with h5py.File(path, "a") as h5:
        for name, values in columns.items():
            h5[name].resize(len(frames), axis=0)
            h5[name][:] = values


def write_run(root: Path) -> Path:
    """Write a whole run folder of a whole campaign."""
    write_settings(root)
    write_history(root)
    tica = write_reference(root)
    write_ensemble(root / "we", tica, N_ITERATIONS, 0.0, 1.0, 11)
    write_training(root)
    for model, tilt, noise in (("weighted", 0.2, 1.1), ("unweighted", -0.6, 1.5)):
        frames = write_ensemble(root / "benchmark" / model, tica, 25, tilt, noise, 17)
        frames.write(root / "benchmark" / model / "frames.h5")
        write_segments(root / "benchmark" / model / "segments.h5", frames)
    write_metrics(root)
    return root
