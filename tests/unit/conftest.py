"""A WE run of any propagator, its blocks advanced here or by an executor."""

import itertools
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.science.cg.mapping.mapping import AtomGroup, Mapping
from apps.science.propagators.base import States
from apps.science.we.config import WEConfig
from apps.science.we.spec import PropagationSpec

RunWalkers = Callable[..., Path]


@pytest.fixture
def run_walkers() -> RunWalkers:
    """Return west.h5 of a run that begins in equal shares at each row of starts."""

    def run(
        folder: Path,
        config: WEConfig,
        propagator: dict[str, Any],
        starts: States,
        seed: int = 7,
        pcoord: dict[str, Any] | None = None,
        block_size: int | None = None,
        stop_after_blocks: int | None = None,
        executor: Executor | None = None,
    ) -> Path:
        from apps.science.we import engine
        from apps.science.we.block import compute_start_pcoords, propagate_block
        from apps.science.we.dispatch import Block, Dispatch

        folder.mkdir(exist_ok=True)
        arrays = {"positions": starts.positions, "velocities": starts.velocities}
        if starts.box is not None:
            arrays["box"] = starts.box
        np.savez(folder / "starts.npz", **arrays)
        spec = PropagationSpec(
            seed, propagator, pcoord or {"kind": "cartesian"},
            str(folder / "starts.npz"),
        )  # fmt: skip
        path = engine.prepare_folder(folder, config, spec, spec.n_frames)
        n_sent = 0

        def submit(block: Block) -> Future[Any]:
            nonlocal n_sent
            n_sent += 1
            if stop_after_blocks is not None and n_sent > stop_after_blocks:
                raise KeyboardInterrupt
            arguments = (
                path, block.n_iter, block.seg_ids, block.parent_ids, block.origins,
                block.out,
            )  # fmt: skip
            if executor is not None:
                return executor.submit(propagate_block, *arguments)
            done: Future[Any] = Future()
            done.set_result(propagate_block(*arguments))
            return done

        dispatch = Dispatch(
            submit, lambda n: block_size or n, lambda _: None, lambda *_: None
        )
        n_starts = len(starts)
        begin = engine.Starts(
            [f"start_{k}" for k in range(n_starts)],
            [1.0 / n_starts] * n_starts,
            compute_start_pcoords(path),
        )
        return engine.run_we(folder, config, seed, begin, dispatch)

    return run


@pytest.fixture(scope="session")
def calpha_chain() -> Callable[[int], Mapping]:
    """Return what makes a chain of alanine C-alphas, each its own atom."""

    def make(n_beads: int) -> Mapping:
        one = [AtomGroup(atoms=[b], coefficients=[1.0]) for b in range(n_beads)]
        index = range(n_beads)
        return Mapping(
            kind="calpha", force_map="slice", n_atoms=n_beads,
            names=["CA"] * n_beads, types=["CAA"] * n_beads,
            resnames=["ALA"] * n_beads, resids=list(index), chains=[0] * n_beads,
            embeddings=[1] * n_beads, masses_amu=[12.0] * n_beads,
            coordinate_groups=one, force_groups=one,
            bonds=list(itertools.pairwise(index)),
            angles=list(zip(index, index[1:], index[2:], strict=False)),
            dihedrals=list(zip(index, index[1:], index[2:], index[3:], strict=False)),
        )  # fmt: skip

    return make
