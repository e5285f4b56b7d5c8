"""A WE run of one particle on a double well, dispatched by threads."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from apps.science.we import engine
from apps.science.we.block import compute_start_pcoords, propagate_block
from apps.science.we.config import WEConfig
from apps.science.we.spec import PropagationSpec
from apps.science.we.storage.journal import IterationRecord

RunToy = Callable[..., list[IterationRecord]]


@pytest.fixture
def run_toy(tmp_path: Path) -> RunToy:
    def run(
        folder: Path,
        n_iterations: int,
        bins: dict[str, Any] | None = None,
        block_size: int = 5,
        stop_after_blocks: int | None = None,
        seed: int = 7,
        start: float = -1.0,
    ) -> list[IterationRecord]:
        from apps.science.we.dispatch import Block, Dispatch, block_sizer

        folder.mkdir(exist_ok=True)
        starts = folder / "starts.npz"
        position = np.array([[[start, 0.0, 0.0]]])
        np.savez(starts, positions=position, velocities=np.zeros((1, 1, 3)))
        config = WEConfig(
            n_iterations=n_iterations,
            walkers_per_bin=4,
            bins=bins or {"kind": "mab", "nbins": [5]},
            segments_per_block=block_size,
        )
        toy = {"kind": "toy", "n_steps": 50, "n_steps_per_frame": 10}
        spec = PropagationSpec(seed, toy, {"kind": "cartesian"}, str(starts))
        path = engine.prepare_folder(folder, config, spec, n_frames=5)
        records: list[IterationRecord] = []
        sent = 0
        with ThreadPoolExecutor(2) as pool:

            def submit(block: Block) -> Future[Any]:
                nonlocal sent
                sent += 1
                if stop_after_blocks is not None and sent > stop_after_blocks:
                    raise KeyboardInterrupt
                return pool.submit(
                    propagate_block, path, block.n_iter, block.seg_ids,
                    block.parent_ids, block.origins, block.out,
                )  # fmt: skip

            dispatch = Dispatch(
                submit, block_sizer(block_size, 2, 1), records.append, lambda *_: None
            )
            starts_at = engine.Starts(["left"], [1.0], compute_start_pcoords(path))
            engine.run_we(folder, config, seed, starts_at, dispatch)
        return records

    return run


@pytest.fixture
def run_well() -> Callable[..., Path]:
    """Run a double well of one particle in this process; return west.h5."""

    def run(
        folder: Path,
        config: WEConfig,
        seed: int,
        tau_ps: float = 0.05,
        barrier_kt: float = 4.0,
        names: tuple[str, ...] = ("left",),
        probabilities: tuple[float, ...] = (1.0,),
        places: tuple[float, ...] = (-1.0,),
    ) -> Path:
        from apps.science.we.dispatch import Block, Dispatch

        folder.mkdir(exist_ok=True)
        starts = folder / "starts.npz"
        positions = np.zeros((len(places), 1, 3))
        positions[:, 0, 0] = places
        np.savez(starts, positions=positions, velocities=np.zeros_like(positions))
        n_steps = round(tau_ps * 1000)
        toy = {
            "kind": "toy", "n_steps": n_steps, "n_steps_per_frame": n_steps,
            "timestep_fs": 1.0, "barrier_kt": barrier_kt,
        }  # fmt: skip
        spec = PropagationSpec(seed, toy, {"kind": "cartesian"}, str(starts))
        path = engine.prepare_folder(folder, config, spec, n_frames=1)

        def submit(block: Block) -> Future[Any]:
            done: Future[Any] = Future()
            shard = propagate_block(
                path, block.n_iter, block.seg_ids, block.parent_ids, block.origins,
                block.out,
            )  # fmt: skip
            done.set_result(shard)
            return done

        dispatch = Dispatch(submit, lambda n: n, lambda _: None, lambda *_: None)
        begin = engine.Starts(
            list(names), list(probabilities), compute_start_pcoords(path)
        )
        return engine.run_we(folder, config, seed, begin, dispatch)

    return run


@pytest.fixture
def assert_same() -> Callable[[Path, Path], None]:
    """Compare two runs bit for bit: weights, parents, progress coordinates."""

    def compare(one: Path, other: Path) -> None:
        pairs = zip(_iterations(one), _iterations(other), strict=True)
        for left, right in pairs:
            for a, b in zip(left, right, strict=True):
                np.testing.assert_array_equal(a, b)

    return compare


def _iterations(folder: Path) -> list[tuple[np.ndarray, ...]]:
    with h5py.File(folder / "west.h5", "r") as h5:
        return [
            (
                group["seg_index"]["weight"],
                group["seg_index"]["parent_id"],
                group["pcoord"][:],
            )
            for group in (h5["iterations"][name] for name in sorted(h5["iterations"]))
        ]
