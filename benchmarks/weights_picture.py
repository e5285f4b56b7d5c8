"""Draw why weights matter: the hidden torsion, and what two models make of the other.

    .venv/bin/python benchmarks/weights_picture.py RUN [RUN ...] --out weights.svg

A run is one of examples/06_weights_matter. Left, the torsion that the beads hide:
where the reference is, where walkers are, and where their weight is. Right, the torsion
of the beads, of the reference and of two models, with 95 % intervals. The first run is
drawn; KL of all of them is printed, one JSON line each.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import h5py
import matplotlib

matplotlib.use("Agg")
import mdtraj
import numpy as np
from matplotlib import pyplot as plt

from apps.science.arrays import Array
from apps.science.pcoords._features import dihedral_angles
from apps.science.pcoords._torsions import find_torsions
from campaign.report.kit import style
from campaign.report.parts.model_look import choose_colours, model_dashes

HIDDEN, SEEN = "phi", "psi"
N_BINS = 36
BURN_IN = 100
DRAWN = ("weighted", "unweighted")
ARRAYS = ("edges", "reference", "model", "reference_band", "model_band")
COLOURS = choose_colours(["weighted", "unweighted"])


def main() -> None:
    """Draw the first run, and print the figures of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    for run in asked.runs:
        print(json.dumps({"run": run.name, **read_figures(run)}))
    if asked.out is not None:
        draw(asked.runs[0], asked.out)


def read_figures(run: Path) -> dict[str, Any]:
    """Return KL on the torsion of the beads: value, interval and floor by model."""
    found = {}
    for path in sorted(run.glob("benchmark/*/metrics.json")):
        body = json.loads(path.read_text(encoding="utf-8"))
        figure = body["metrics"]["dihedrals"]["figures"]["kl"]
        found[path.parent.name] = {
            key: round(figure[key], 4) for key in ("value", "low", "high", "floor")
        }
    return found


def draw(run: Path, out: Path) -> None:
    """Draw the two densities of one run."""
    plt.rcParams.update(style.RC | {"axes.grid": False, "svg.fonttype": "path"})
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.3), layout="tight")
    edges = np.linspace(-180, 180, N_BINS + 1)
    values, weights = read_walkers(run)
    reference = read_reference(run)
    for name, angles, weight, key in (
        ("plain MD", reference, None, "reference"),
        ("walkers, by weight", values, weights, "weighted"),
        ("walkers, each alike", values, None, "unweighted"),
    ):
        density = np.histogram(angles, edges, weights=weight, density=True)[0]
        left.stairs(
            1000 * density,
            edges,
            baseline=None,
            color=COLOURS[key],
            label=name,
            lw=1.6,
            ls=model_dashes(key) if key != "reference" else "-",
        )
    left.set_title(f"What the beads hide: {HIDDEN}")
    for k, name in enumerate(DRAWN):
        path = run / "benchmark" / name / "densities.npz"
        with np.load(path, allow_pickle=False) as npz:
            found = {key: npz[f"dihedrals/{key}"] for key in ARRAYS}
        if k == 0:
            fill(right, found, "reference", "plain MD", "reference")
        fill(right, found, "model", f"{name} model", name)
    right.set_title(f"What the models make of {SEEN}")
    for axes, name in ((left, HIDDEN), (right, SEEN)):
        axes.set_ylim(0, 1.42 * axes.get_ylim()[1])  # room for the legend
        axes.set_xlim(-180, 180)
        axes.set_xticks(range(-180, 181, 90))
        axes.set_xlabel(f"{name}, degrees")
        axes.set_ylabel("density, 1/1000 degrees")
        axes.legend(loc="upper center")
    figure.savefig(out, metadata={"Date": None} if out.suffix == ".svg" else None)


def fill(axes: Any, found: dict[str, Array], which: str, label: str, key: str) -> None:
    """Draw a density, with its interval."""
    width = 1.0 / (found["edges"][1] - found["edges"][0]) * 1000
    centres = 0.5 * (found["edges"][1:] + found["edges"][:-1])
    inner = slice(1, -1)  # a circle has no outside
    values = width * found[which][inner]
    low, high = width * found[f"{which}_band"][:, inner]
    axes.fill_between(centres, low, high, color=COLOURS[key], alpha=0.25, lw=0)
    dashes = "-" if key == "reference" else model_dashes(key)
    axes.plot(centres, values, color=COLOURS[key], lw=1.5, ls=dashes, label=label)


def read_walkers(run: Path) -> tuple[Array, Array]:
    """Return the hidden torsion at the end of each segment, degrees, and its weight."""
    values, weights = [], []
    with h5py.File(run / "we" / "west.h5", "r", locking=False) as h5:
        # relaxed as the models' frames are; the last iteration is not run
        for group in list(h5["iterations"].values())[BURN_IN:-1]:
            values.append(group["pcoord"][:, -1, 0])
            weights.append(group["seg_index"]["weight"])
    return np.concatenate(values), np.concatenate(weights)


def read_reference(run: Path) -> Array:
    """Return the hidden torsion of all walks, degrees."""
    topology = mdtraj.load(str(run / "system" / "protein.pdb")).topology
    atoms = np.array(find_torsions(topology, [HIDDEN]))
    found = []
    for walk in sorted((run / "reference").glob("walk_*.h5")):
        with h5py.File(walk, "r", locking=False) as h5:
            found.append(dihedral_angles(h5["positions"][:].astype(float), atoms))
    return np.degrees(np.concatenate(found)[:, 0])


if __name__ == "__main__":
    main()
