"""Packed CG dynamics: weft beside torchmd, the gain of packing, and WE around it.

One thread; the same 128-channel, 4-layer graph network with the same parameters, the
same kind of prior, a full Langevin step of 4 fs. The engines take turns in one process,
and a ratio is the median of neighbouring turns, since a shared machine drifts. Forces
are compared before anything is timed. With a GPU the same script runs there.
The last line is one JSON object.
"""

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch

from apps.science.cg.checkpoint import write_checkpoint
from apps.science.cg.force_field import ForceField
from apps.science.cg.mapping.mapping import AtomGroup, Mapping
from apps.science.cg.prior.tables import PriorTables
from apps.science.cg.prior.terms import build_prior
from apps.science.cg.prior.torchmd_yaml import write_tables
from apps.science.cg.simulation.block_size import (
    Timing,
    choose_block,
    measure_blocks,
    name_device,
)
from apps.science.models.potentials.base import build_network, read_config
from apps.science.propagators.base import States
from apps.science.propagators.cg import Config, Inference, Propagator

MODEL = {
    "kind": "torchmd_net", "architecture": "graph-network",
    "embedding_dimension": 128, "num_layers": 4,
}  # fmt: skip
TABLES = PriorTables(
    terms=("bonds", "dihedrals", "repulsion"),
    exclusions=("bonds",),
    bonds={("CAA", "CAA"): (75.0, 3.83)},
    dihedrals={("X",) * 4: ((0.2, -2.3, 1), (0.33, -1.7, 2))},
    repulsion={("CAA",): (4.0, 0.2)},
    masses={"CAA": 12.0},
)
CASES = {"10x64": (10, 64), "56x32": (56, 32)}


def main() -> None:
    """Take every figure and print a table, then the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="within two minutes")
    parser.add_argument("--we-share", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if asked.we_share:
        print(json.dumps(run_we_share(Path(asked.we_share), asked.quick)))
        return
    device = "cuda" if torch.cuda.is_available() else "cpu"
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    print(f"{name_device(device)}; {os.cpu_count()} cores, load before: {load}")
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for case, (n_beads, n_replicas) in CASES.items():
            found |= compare(case, n_beads, n_replicas, folder, device, asked.quick)
        found |= measure_packing(folder, device, asked.quick)
    found |= measure_we(asked.quick)
    print(json.dumps(found))


def build_field(n_beads: int, folder: Path) -> tuple[ForceField, Path]:
    """Return an untrained force field of a chain, and its prior.yaml."""
    own = [AtomGroup(atoms=[i], coefficients=[1.0]) for i in range(n_beads)]
    mapping = Mapping(
        kind="calpha", force_map="slice", n_atoms=n_beads, names=["CA"] * n_beads,
        types=["CAA"] * n_beads, resnames=["ALA"] * n_beads,
        resids=list(range(1, n_beads + 1)), chains=[0] * n_beads,
        embeddings=[1 + i % 20 for i in range(n_beads)], masses_amu=[12.0] * n_beads,
        coordinate_groups=own, force_groups=own,
        bonds=[(i, i + 1) for i in range(n_beads - 1)],
        angles=[(i, i + 1, i + 2) for i in range(n_beads - 2)],
        dihedrals=[(i, i + 1, i + 2, i + 3) for i in range(n_beads - 3)],
    )  # fmt: skip
    torch.manual_seed(0)
    config = read_config(MODEL)
    network = build_network(config)
    folder = folder / str(n_beads)
    mapping.write(folder / "mapping.json")
    prior = write_tables(TABLES, folder / "prior.yaml")
    write_checkpoint(folder / "best.pt", config.model_dump(), network.state_dict())
    return ForceField(build_prior(mapping, TABLES), mapping, network), prior


def draw_chains(n_chains: int, n_beads: int, seed: int = 1) -> np.ndarray:
    """Return compact self-avoiding chains (n_chains, n_beads, 3), Angstrom.

    A 56-bead one has some 540 pairs inside 12 Angstrom, as a small folded protein.
    """
    rng = np.random.default_rng(seed)
    chains: list[np.ndarray] = []
    while len(chains) < n_chains:
        chain = [np.zeros(3)]
        for _ in range(n_beads * 200):
            step = rng.normal(size=3) - 0.05 * (chain[-1] - np.mean(chain, axis=0))
            place = chain[-1] + 3.83 * step / np.linalg.norm(step)
            far = np.linalg.norm(np.array(chain[:-1] or [[99.0] * 3]) - place, axis=1)
            if far.min() > 5.0:
                chain.append(place)
            if len(chain) == n_beads:
                chains.append(np.array(chain) - np.mean(chain, axis=0))
                break
    return np.array(chains)


def settings(n_steps: int, **changes: Any) -> Config:
    """Return the propagator's settings of all measurements."""
    chosen = {"mapping": "", "prior": "", "n_steps": n_steps,
              "n_steps_per_frame": n_steps, "max_bond_angstrom": 100.0}  # fmt: skip
    return Config.model_validate(chosen | changes)


def compare(
    case: str, n_beads: int, n_replicas: int, folder: Path, device: str, quick: bool
) -> dict[str, float]:
    """Return ours and torchmd's milliseconds a step, and their ratio."""
    from packing_peer import Peer

    field, prior = build_field(n_beads, folder)
    chains = draw_chains(4, n_beads)
    starts = chains[np.arange(n_replicas) % len(chains)]
    n_ours, n_theirs = (50, 5) if n_beads <= 10 else (10, 1)
    ours = Propagator(settings(n_ours, device=device), field)
    peer = Peer(field, prior, starts, device)
    check_forces(ours, peer, field, starts)
    states = States(starts, peer.system.vel.double().cpu().numpy() * 20.0)

    def run_ours() -> None:
        ours.advance(states, range(n_replicas))

    def run_peer() -> None:
        peer.step(n_theirs)

    run_ours(), run_peer()
    seconds: dict[str, list[float]] = {"ours": [], "peer": []}
    for _ in range(5 if quick else 15):
        seconds["ours"].append(timed(run_ours) / n_ours)
        seconds["peer"].append(timed(run_peer) / n_theirs)
    turns = zip(seconds["peer"], seconds["ours"], strict=True)
    ratio = statistics.median(theirs / mine for theirs, mine in turns)
    ms = {who: 1e3 * statistics.median(values) for who, values in seconds.items()}
    print(
        f"{n_beads} beads x {n_replicas} replicas, ms a step: weft {ms['ours']:.2f}, "
        f"torchmd {ms['peer']:.1f}; {ratio:.1f} times faster"
    )
    return {
        f"ratio_{case}": round(ratio, 2),
        f"ms_{case}": round(ms["ours"], 3),
        f"torchmd_ms_{case}": round(ms["peer"], 2),
    }


def check_forces(
    ours: Propagator, peer: Any, field: ForceField, starts: np.ndarray
) -> None:
    """Compare the network's part of the forces; both have the same parameters."""
    x = torch.tensor(starts, device=ours.device)
    theirs = peer.network.calculate(x.float(), None)[1]
    mine = ours.force_field.compute(x)[1] - field.prior.energy_and_forces(x)[1]
    error = float((mine - theirs).norm() / theirs.norm())
    peer.compute()
    print(f"relative difference of the network's forces: {error:.1e}")
    if not error < 1e-4:
        raise SystemExit("the peer computes other forces")


def timed(run: Callable[[], None]) -> float:
    """Return the seconds a call takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def measure_packing(folder: Path, device: str, quick: bool) -> dict[str, float]:
    """Return aggregate speed at the tuned block over that at block 1, 10 beads.

    ``packing_gain`` is of replicas packed into tensors: on a CPU the plain model, on a
    GPU the tabulated one. On a CPU the compiled kernels, which is what runs by default,
    take replicas one by one and have little to gain (``packing_gain_compiled``).
    """
    field, _ = build_field(10, folder / "curve")
    forms: dict[str, Inference] = {"packing_gain": "auto"}
    if device == "cpu":
        forms = {"packing_gain": "exact", "packing_gain_compiled": "tabulated"}
    found: dict[str, float] = {}
    for key, inference in forms.items():
        curve = draw_curve(field, inference, device, quick)
        tuned = choose_block(curve)
        rates = {t.block: t.replica_steps_per_s for t in curve}
        best = max(rates.values())
        print(f"10 beads, {inference}: replica-steps/s by block (chosen: {tuned})")
        print("  " + ", ".join(f"{b}: {rate:,.0f}" for b, rate in rates.items()))
        found[key] = round(rates[tuned] / rates[1], 2)
        after = [rate for block, rate in rates.items() if rate == best or block > tuned]
        found[f"{key}_fall_after_best"] = round(1 - min(after) / best, 3)
        found[f"{key}_steps_per_s"] = round(rates[tuned])
    return found


def draw_curve(
    field: ForceField, inference: Inference, device: str, quick: bool
) -> list[Timing]:
    """Return timings of blocks 1, 2, 4, ...: medians over sweeps."""
    n_steps = 10 if inference == "exact" else 100
    largest = 1024 if device != "cpu" else 64 if quick else 256
    run = Propagator(settings(n_steps, device=device, inference=inference), field)
    starts = draw_chains(4, 10)[np.arange(largest) % 4]
    states = States(starts, np.zeros_like(starts))

    def advance(block: int) -> None:
        run.advance(states.take(range(block)), range(block))

    sweeps = [
        list(measure_blocks(advance, n_steps, largest, patient=True, n_repeats=1))
        for _ in range(3 if quick else 9)
    ]
    curve = []
    for same in zip(*sweeps, strict=True):
        seconds = statistics.median(t.seconds for t in same)
        block = same[0].block
        curve.append(Timing(block, seconds, block * n_steps / seconds))
    return curve


def measure_we(quick: bool) -> dict[str, float]:
    """Return the share of WE machinery in a benchmark stage of 10 beads.

    In a process of its own: a WE loop needs one, and workers start from it.
    """
    with tempfile.TemporaryDirectory() as name:
        arguments = [sys.executable, __file__, "--we-share", name]
        done = subprocess.run(
            arguments + ["--quick"] * quick, capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(
        f"WE of 10 beads: an iteration takes {found['we_iteration_s']:.2f} s, "
        f"{found['we_share']:.1%} of it not propagation"
    )
    return found


def run_we_share(folder: Path, quick: bool) -> dict[str, float]:
    """Run WE with the defaults of a benchmark stage: segments of 4 ps, 10 frames."""
    from packing_we import measure_share

    logging.disable(logging.WARNING)
    build_field(10, folder)
    files = folder / "10"
    propagator = {
        "kind": "cg", "mapping": str(files / "mapping.json"),
        "prior": str(files / "prior.yaml"), "checkpoint": str(files / "best.pt"),
        "n_steps": 1000, "n_steps_per_frame": 100, "max_bond_angstrom": 100.0,
    }  # fmt: skip
    share, seconds = measure_share(
        folder / "we", propagator, draw_chains(4, 10), *((16, 3) if quick else (64, 6))
    )
    return {"we_share": round(share, 4), "we_iteration_s": round(seconds, 3)}


if __name__ == "__main__":
    main()
