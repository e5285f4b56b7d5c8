"""Which settings make the best force field in the same time: the evidence of defaults.

Each system is sampled once per seed by a campaign whose ``experiments`` are the arms:
the base and, one at a time, a setting in which it differs. Every arm trains for the
same processor time on one core and is judged by a WE run of its own. Runs are kept in
``--out``, so that a stopped script goes on; the last line is one JSON object.

The time is ``training.budget_minutes``, which one process counts as its own computing
time, so that a busy machine gives no arm fewer steps.
"""

import argparse
import csv
import json
import math
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

FIGURES: Final = (
    ("tic0", "kl"), ("tica2d", "kl"), ("rmsd", "kl"), ("angles", "kl"),
    ("dihedrals", "kl"),
)  # fmt: skip
"""Each is a distance from the reference, with a floor."""

OWN_TORSIONS: Final = {"shared_dihedral": False, "dihedral_scale": 1.0}
BASE: Final[dict[str, Any]] = {
    "mapping": {"force_map": "optimal"},
    "prior": {"terms": ["bonds", "angles", "dihedrals", "repulsion"], **OWN_TORSIONS},
    "model": {"kind": "cgschnet", "embedding_dimension": 64, "num_layers": 3},
    "training": {"batch_size": 64, "weight_exponent": 0.5},
}
PAIRS: Final = {"noise_angstrom": 0.02, "noise_pairs": True, "noise_force_share": 0.2}
ARMS: Final[dict[str, dict[str, Any]]] = {
    "base": {},
    "unweighted": {"training": {"weighted": False}},
    "map_constraint_sum": {"mapping": {"force_map": "constraint_sum"}},
    "prior_shared_dihedral": {
        "prior": {"terms": ["bonds", "dihedrals", "repulsion"],
                  "shared_dihedral": True, "dihedral_scale": 0.5},
    },
    "prior_half_dihedral": {"prior": {"dihedral_scale": 0.5}},
    "prior_no_repulsion": {"prior": {"terms": ["bonds", "angles", "dihedrals"]}},
    "prior_bonds_angles": {"prior": {"terms": ["bonds", "angles"]}},
    "torchmd_net_64x2": {"model": {
        "kind": "torchmd_net", "embedding_dimension": 64, "num_layers": 2}},
    "cgschnet_64x1": {"model": {"num_layers": 1}},
    "cgschnet_64x2": {"model": {"num_layers": 2}},
    "cgschnet_32x2": {"model": {
        "kind": "cgschnet", "embedding_dimension": 32, "num_layers": 2}},
    "cgschnet_128x3": {"model": {
        "kind": "cgschnet", "embedding_dimension": 128, "num_layers": 3}},
    "noise_pairs": {"training": PAIRS},
    "noise_pairs_half": {"training": PAIRS | {"noise_force_share": 0.5}},
    "drawn_by_weight": {"training": {"sampling": "weighted"}},
    "weights_whole": {"training": {"weight_exponent": 1.0}},
    "filters_free": {"model": {"hold_filters": False}},
    "rate_3e-4": {"training": {"learning_rate": 3e-4}},
    "rate_3e-3": {"training": {"learning_rate": 3e-3}},
    "batch_16": {"training": {"batch_size": 16}},
    "batch_256": {"training": {"batch_size": 256, "learning_rate": 2e-3}},
    "average_off": {"training": {"ema_decay": 0.0}},
    "average_0.99": {"training": {"ema_decay": 0.99}},
}  # fmt: skip


def fast_folder(fold: str, **system: Any) -> dict[str, Any]:
    """Return the sections of a protein from its fold, as in the demo."""
    return {
        "system": {"fold": fold, "solvent": "obc2", "equilibration_ps": 4, **system},
        "reference": {"n_walks": 6, "walk_length_ps": 160, "frame_interval_ps": 0.4,
                      "lineage_block_ps": 20},
        "tica": {"lag_ps": 4},
        "sample": {"n_iterations": 20, "walkers_per_bin": 3,
                   "bins": {"kind": "mab", "nbins": [4, 4]},
                   "segment_length_fs": 3200, "frame_interval_fs": 320},
        "benchmark": {"n_iterations": 12, "walkers_per_bin": 4,
                      "bins": {"kind": "mab", "nbins": [5, 5]},
                      "segment_length_fs": 2000, "frame_interval_fs": 200},
    }  # fmt: skip


SYSTEMS: Final[dict[str, dict[str, Any]]] = {
    "chignolin": fast_folder("chignolin"),
    "chignolin_two_starts": fast_folder("chignolin", unfolding_starts=0),
    "trp_cage": fast_folder("trp_cage"),
    "alanine_dipeptide": fast_folder("chignolin") | {
        "system": {"sequence": "A", "caps": True, "solvent": "obc2",
                   "beads": "backbone", "equilibration_ps": 4},
        "reference": {"n_walks": 2, "walk_length_ps": 400, "frame_interval_ps": 0.4,
                      "lineage_block_ps": 40},
        "tica": {"lag_ps": 4, "features": "dihedrals"},
    },
}  # fmt: skip


def merge(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Return sections, changed where ``theirs`` says so."""
    return {
        key: {**ours.get(key, {}), **theirs.get(key, {})}
        for key in dict.fromkeys([*ours, *theirs])
    }


def write_campaign(
    folder: Path, system: str, seed: int, arms: list[str], minutes: float
) -> Path:
    """Write the campaign of a system and seed."""
    path = folder / f"{system}_{seed}.yaml"
    if path.exists():
        return path
    base = merge(BASE, {"training": {"budget_minutes": minutes}})
    variants = {arm: ARMS[arm] for arm in arms}
    body = {
        "name": f"{system}_{seed}", "type": "force_field", "seed": seed,
        **SYSTEMS[system], **base, "experiments": {"variants": variants},
    }  # fmt: skip
    path.write_text(yaml.safe_dump(body, sort_keys=False))
    return path


def run_campaign(path: Path) -> Path:
    """Run it to its end, or what is left of it; return its folder."""
    weft = [str(Path(sys.executable).with_name("weft"))]
    run = path.parent / "runs" / path.stem
    told = ["resume", str(run)] if run.exists() else ["run", path.name]
    with path.with_suffix(".log").open("a") as log:
        subprocess.run(
            [*weft, *told], check=True, cwd=path.parent, stdout=log, stderr=log
        )
    return run


def read_figures(run: Path) -> dict[str, dict[str, tuple[float, float]]]:
    """Return (value, floor) of each figure of each arm."""
    found: dict[str, dict[str, tuple[float, float]]] = {}
    with (run / "experiments/figures.csv").open() as lines:
        for row in csv.DictReader(lines):
            if (row["metric"], row["figure"]) in FIGURES:
                pair = float(row["value"]), float(row["floor"])
                found.setdefault(row["model"], {})[row["metric"]] = pair
    return found


def distance(figures: dict[str, tuple[float, float]]) -> float:
    """Return the geometric mean of value over floor: 1 is as near as can be told."""
    logs = [
        math.log(max(value, floor) / floor)
        for value, floor in figures.values()
        if floor > 0 and math.isfinite(value)
    ]
    return math.exp(statistics.fmean(logs)) if logs else math.inf


def tell(runs: dict[str, dict[int, Path]]) -> Iterator[dict[str, Any]]:
    """Return a line for each system and arm: medians over its seeds."""
    for system, by_seed in runs.items():
        read = [read_figures(run) for run in by_seed.values()]
        arms = list(dict.fromkeys(arm for figures in read for arm in figures))
        for arm in arms:
            mine = [figures[arm] for figures in read if arm in figures]
            line: dict[str, Any] = {"system": system, "arm": arm, "seeds": len(mine)}
            for metric, _ in FIGURES:
                values = [one[metric][0] for one in mine if metric in one]
                if values:
                    line[metric] = round(statistics.median(values), 3)
            distances = [distance(one) for one in mine]
            line["distance"] = round(statistics.median(distances), 2)
            line["distances"] = [round(d, 2) for d in distances]
            yield line


def main() -> None:
    """Run what is asked for, and print a line per system and arm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--out", type=Path, default=Path("runs/defaults"))
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    runs: dict[str, dict[int, Path]] = {}
    for seed in asked.seeds:
        for system in asked.systems:
            path = write_campaign(asked.out, system, seed, asked.arms, asked.minutes)
            runs.setdefault(system, {})[seed] = run_campaign(path)
            print(f"{path.stem} done", flush=True)
    lines = list(tell(runs))
    for line in lines:
        print(json.dumps(line))
    print(json.dumps({"minutes": asked.minutes, "arms": lines}))


if __name__ == "__main__":
    main()
