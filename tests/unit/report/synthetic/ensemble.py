"""Journal and shards of a run like a weighted ensemble, of this version or an older."""

import json
from pathlib import Path

import h5py
import numpy as np

from apps.science.arrays import Array
from apps.science.pcoords.tica import TicaModel
from apps.science.segments.frames import WeightedFrames
from apps.science.we.storage import journal
from apps.science.we.storage.iteration_summary import summarise, summarise_work
from apps.science.we.storage.shards import FinishedBlock

from .hairpin import N_BEADS, place_beads, slow_walk


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
