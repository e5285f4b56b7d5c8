"""Training speed: weft's loop beside torchmd-net's Lightning trainer, and by itself.

Same network, frames, batch and one thread. The trainers take turns, an epoch each, in
one process, so that a busy machine is busy for all; an epoch is everything from its
first step to the next epoch's, validation and files included. Figures are medians, and
ratios are of neighbouring turns. The last line is one JSON object.

Lightning must be installed for ``ratio_lightning`` (pip install lightning).
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

N_BEADS = 10
CHIGNOLIN = [4, 4, 5, 8, 6, 13, 2, 13, 7, 4]
SMALL = {"embedding_dimension": 64, "num_layers": 2, "num_rbf": 20}
WIDE = {"embedding_dimension": 128, "num_layers": 4, "num_rbf": 20}
WARM_UP = 1


def main() -> None:
    """Take every figure and print a table, then the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="within a minute")
    parser.add_argument("--rank-of", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.rank_of:
        run_rank(Path(asked.rank_of[0]), int(asked.rank_of[1]))
        return
    quick = asked.quick
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    print(f"{os.cpu_count()} cores, load before: {load}")
    n_epochs = 5 if quick else 15
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small = write_frames(folder / "small.h5", 600 if quick else 1200)
        few = write_frames(folder / "few.h5", 256)
        peers = take_turns(
            {
                "weft, graph-network": weft(small, "torchmd_net", SMALL, 20, n_epochs),
                "Lightning, graph-network": lightning(small, SMALL, 20, n_epochs),
                "weft, CGSchNet": weft(small, "cgschnet", SMALL, 20, n_epochs),
            },
            frames_in(small),
            "64 channels, 2 layers, batch 20",
        )
        wide = take_turns(
            {
                "weft, graph-network": weft(few, "torchmd_net", WIDE, 128, n_epochs),
                "weft, CGSchNet": weft(few, "cgschnet", WIDE, 128, n_epochs),
            },
            frames_in(few),
            "128 channels, 4 layers, batch 128",
        )
        many = write_frames(folder / "many.h5", 2048)
        speedup, ceiling = measure_ranks(many, 6 if quick else 20)
    result = {
        "frames_per_s": peers.frames_per_s("weft, graph-network"),
        "ratio_lightning": peers.ratio(
            "weft, graph-network", "Lightning, graph-network"
        ),
        "ratio_cgschnet": wide.ratio("weft, CGSchNet", "weft, graph-network"),
        "ratio_cgschnet_batch_20": peers.ratio("weft, CGSchNet", "weft, graph-network"),
        "ddp_speedup": speedup,
        "two_apart": ceiling,
    }
    print(json.dumps({key: round(value, 3) for key, value in result.items()}))


def write_frames(path: Path, n_frames: int) -> Path:
    """Write a training set of chains like chignolin's, a tenth of it to validate."""
    import numpy as np

    from apps.science.cg.dataset.file import SCHEMA, create_file

    rng = np.random.default_rng(7)
    steps = rng.normal(size=(n_frames, N_BEADS, 3))
    steps *= 3.8 / np.linalg.norm(steps, axis=-1, keepdims=True)
    with create_file(path) as h5:
        h5.create_group("meta").attrs["schema"] = SCHEMA
        group = h5.create_group("mol/chignolin")
        group["z"] = np.array(CHIGNOLIN)
        group["pos"] = steps.cumsum(axis=1).astype("f4")
        group["delta"] = rng.normal(size=steps.shape).astype("f4")
        group["weight"] = rng.dirichlet(np.ones(n_frames))
        group["split"] = (np.arange(n_frames) % 10 == 0).astype("i1")
    return path


def frames_in(dataset: Path) -> int:
    """Return the number of training frames."""
    from apps.science.tasks.force_matching.data import read_training_data

    return len(read_training_data(dataset).train)


@dataclass
class Turns:
    """Trainers that run an epoch in turn, one at a time.

    Attributes
    ----------
    seconds : of every epoch after the first ones, by trainer
    """

    names: list[str]
    n_frames: int
    seconds: dict[str, list[float]] = field(default_factory=dict)
    _turn: int = 0
    _baton: threading.Condition = field(default_factory=threading.Condition)

    def run(self, name: str, train: Callable[[Callable[[], None]], None]) -> None:
        """Run a trainer that calls its argument at the end of every epoch."""
        mine = self.names.index(name)
        taken = self.seconds.setdefault(name, [])
        began = 0.0

        def wait() -> None:
            nonlocal began
            with self._baton:
                self._baton.wait_for(lambda: self._turn == mine)
            began = time.perf_counter()

        def tick() -> None:
            taken.append(time.perf_counter() - began)
            self._pass(mine)
            wait()

        wait()
        train(tick)
        self._pass(mine)

    def _pass(self, mine: int) -> None:
        with self._baton:
            self._turn = (mine + 1) % len(self.names)
            self._baton.notify_all()

    def frames_per_s(self, name: str) -> float:
        """Return the median speed of a trainer."""
        return self.n_frames / statistics.median(self.seconds[name][WARM_UP:])

    def ratio(self, name: str, peer: str) -> float:
        """Return the median of how many times faster ``name`` is than ``peer``."""
        pairs = zip(
            self.seconds[name][WARM_UP:], self.seconds[peer][WARM_UP:], strict=True
        )
        return statistics.median(theirs / ours for ours, theirs in pairs)


Trainer = Callable[[Callable[[], None]], None]


def take_turns(trainers: dict[str, Trainer], n_frames: int, what: str) -> Turns:
    """Run all trainers, an epoch each in turn, and print their speeds."""
    turns = Turns(list(trainers), n_frames)
    threads = [
        threading.Thread(target=turns.run, args=item) for item in trainers.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"{what:<34} frames/s   fastest, slowest epoch")
    for name, seconds in turns.seconds.items():
        kept = seconds[WARM_UP:]
        fast, slow = n_frames / min(kept), n_frames / max(kept)
        print(f"  {name:<32} {turns.frames_per_s(name):8.0f}   {fast:.0f}, {slow:.0f}")
    return turns


def make_job(dataset: Path, out: Path, kind: str, size: Any, batch: int, n: int) -> Any:
    """Return a training job of ``n`` epochs."""
    from apps.science.tasks.force_matching.config import TrainingConfig, TrainingJob

    return TrainingJob(
        dataset=dataset, out=out, device="cpu", model={"kind": kind, **size},
        training=TrainingConfig(
            n_epochs=n, batch_size=batch, learning_rate=1e-4, patience=1000
        ),
    )  # fmt: skip


class NeverStop:
    """Nobody asks a benchmark to stop."""

    asked = False


def weft(dataset: Path, kind: str, size: Any, batch: int, n_epochs: int) -> Trainer:
    """Return weft's loop as it trains a campaign's models, with all its files."""

    def train(tick: Callable[[], None]) -> None:
        from apps.science.learning import loop
        from apps.science.learning.ranks import Ranks

        name = f"{dataset.stem}_{kind}_{batch}"
        job = make_job(dataset, dataset.parent / name, kind, size, batch, n_epochs)

        class Timed(loop.Training):
            def _tell_epoch(self, *said: Any) -> None:
                super()._tell_epoch(*said)
                tick()

        Timed(job, Ranks(0, 1, "cpu"), NeverStop()).run()  # type: ignore[arg-type]

    return train


def lightning(dataset: Path, size: Any, batch: int, n_epochs: int) -> Trainer:
    """Return torchmd-net's own trainer, without logger, progress bar or checkpoints."""

    def train(tick: Callable[[], None]) -> None:
        import logging

        import torch

        warnings.simplefilter("ignore")
        for noisy in ("lightning.pytorch", "lightning.fabric"):
            logging.getLogger(noisy).setLevel(logging.ERROR)
        import lightning.pytorch as pl
        from torch_geometric.data import Data
        from torch_geometric.loader import DataLoader
        from torchmdnet.module import LNNP

        from apps.science.tasks.force_matching.data import read_training_data

        read = read_training_data(dataset)

        def load(frames: Any, shuffle: bool) -> Any:
            items = [
                Data(z=read.embeddings, pos=pos, neg_dy=target)
                for pos, target in zip(frames.positions, frames.targets, strict=True)
            ]
            return DataLoader(items, batch_size=batch, shuffle=shuffle, num_workers=0)

        class Tick(pl.Callback):
            def on_train_epoch_end(self, *_: Any) -> None:
                tick()

        torch.manual_seed(0)
        module = LNNP(describe_lightning(size))
        trainer = pl.Trainer(
            accelerator="cpu", devices=1, max_epochs=n_epochs, logger=False,
            enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, num_sanity_val_steps=0, callbacks=[Tick()],
            inference_mode=False,
        )  # fmt: skip
        trainer.fit(module, load(read.train, True), load(read.validation, False))

    return train


def describe_lightning(size: Any) -> dict[str, Any]:
    """Return torchmd-net's settings of the network that weft's model builds."""
    from apps.science.models.potentials.torchmd_net import Config

    c = Config(**size)
    return {
        "model": "graph-network", "precision": 32, "derivative": True,
        "embedding_dimension": c.embedding_dimension, "num_layers": c.num_layers,
        "num_rbf": c.num_rbf, "rbf_type": "expnorm", "trainable_rbf": c.trainable_rbf,
        "activation": c.activation, "neighbor_embedding": False, "aggr": "add",
        "cutoff_lower": 0.0, "cutoff_upper": c.cutoff_angstrom,
        "max_z": c.max_embedding, "max_num_neighbors": 64, "output_model": "Scalar",
        "reduce_op": "sum", "atom_filter": -1, "prior_model": None,
        "load_model": None, "remove_ref_energy": False, "y_weight": 0.0,
        "neg_dy_weight": 1.0, "ema_alpha_y": 1.0, "ema_alpha_neg_dy": 1.0,
        "lr": 1e-4, "lr_factor": 0.8, "lr_patience": 1000, "lr_min": 1e-7,
        "lr_warmup_steps": 0, "weight_decay": 0.01,
    }  # fmt: skip


def measure_ranks(dataset: Path, n_epochs: int) -> tuple[float, float]:
    """Return how many times faster two gloo ranks are than one, a thread each.

    And what these two cores allow: the frames per second of two processes that train
    side by side and have nothing to do with each other, over those of one.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, "--rank-of", str(dataset), str(n_epochs)],
            stdout=subprocess.PIPE, text=True,
            env=os.environ | {"RANK": str(rank), "LOCAL_RANK": str(rank),
                              "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
                              "MASTER_PORT": port},
        )
        for rank in range(2)
    ]  # fmt: skip
    said = [process.communicate(timeout=300)[0] for process in processes]
    if any(process.returncode for process in processes):
        raise SystemExit("The ranks failed; what they said is above.")
    alone, together, apart = json.loads(said[0].splitlines()[-1])
    n = frames_in(dataset)
    ratios = [one / two for one, two in zip(alone, together, strict=True)]
    ceilings = [2 * one / both for one, both in zip(alone, apart, strict=True)]
    print(
        f"gloo ranks, batch 128: {n / statistics.median(alone):.0f} frames/s on one, "
        f"{n / statistics.median(together):.0f} on two; ratios {min(ratios):.2f} to "
        f"{max(ratios):.2f}; two processes apart: {min(ceilings):.2f} to "
        f"{max(ceilings):.2f}"
    )
    return statistics.median(ratios), statistics.median(ceilings)


def run_rank(dataset: Path, n_epochs: int) -> None:
    """Train an epoch alone, together, and apart, in turn; print the seconds of each.

    Apart: each rank trains a whole epoch of its own at the same time.
    """
    import torch

    from apps.science.learning import loop
    from apps.science.learning.ranks import Ranks, join_ranks

    with join_ranks("cpu") as ranks:
        seconds: list[list[float]] = []
        trainings = {}
        one = Ranks(0, 1, "cpu")
        for name, joined in (("alone", one), ("together", ranks), ("apart", one)):
            folder = dataset.parent / (name + str(ranks.rank) * (name == "apart"))
            job = make_job(dataset, folder, "torchmd_net", SMALL, 128, n_epochs)
            trainings[name] = loop.Training(job, joined, NeverStop())  # type: ignore[arg-type]
        for _ in range(n_epochs):
            pair = []
            for name, training in trainings.items():
                torch.distributed.barrier()
                began = time.perf_counter()
                if name != "alone" or ranks.is_first:
                    training._run_epoch()
                    training._close_epoch()
                torch.distributed.barrier()
                pair.append(time.perf_counter() - began)
            seconds.append(pair)
    print(json.dumps(list(zip(*seconds[WARM_UP:], strict=True))))


if __name__ == "__main__":
    main()
