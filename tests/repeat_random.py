"""Repeat the tests of a random outcome with other seeds, and print their margins.

``python tests/repeat_random.py [--seeds 1-20] [--keep FILE] [arguments of pytest]``

Prints, as the table of tests/README.md, where the numbers of each bound lay and how
often chance alone would pass it: the tail beyond the bound of a normal distribution
with their mean and standard deviation.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

HERE = Path(__file__).parent
Lines = dict[tuple[str, str], list[dict[str, Any]]]


def repeat(numbers: str, margins: Path, given: list[str]) -> int:
    """Run the tests with these numbers' seeds; return pytest's status."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
         f"--other-seeds={numbers}", f"--margins={margins}", *given],
        cwd=HERE.parent, stdout=sys.stderr, check=False,
    ).returncode  # fmt: skip


def read_margins(path: Path) -> Lines:
    found: Lines = defaultdict(list)
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        found[entry["test"].removeprefix("tests/"), entry["name"]].append(entry)
    return found


def estimate_alarms(values: np.ndarray, above: float, below: float) -> str:
    """Return how often a number would lie outside its bounds, in words."""
    outside = int(((values <= above) | (values >= below)).sum())
    if outside:
        return f"**{outside} of {len(values)}**"
    spread = values.std(ddof=1) if len(values) > 1 else 0.0
    if spread == 0:
        return f"0 of {len(values)}, always the same"
    mean = values.mean()
    rate = stats.norm.cdf((above - mean) / spread)
    rate += stats.norm.sf((below - mean) / spread)
    return f"{rate:.0e}" if rate > 1e-12 else "< 1e-12"


def describe(test: str, name: str, entries: list[dict[str, Any]]) -> str:
    """Return a row of the table."""
    values = np.array([e["value"] for e in entries])
    above, below = entries[0]["above"], entries[0]["below"]
    limits = [(">", above), ("<", below)]
    bound = " and ".join(f"{sign} {x:g}" for sign, x in limits if np.isfinite(x))
    worst = values[np.minimum(values - above, below - values).argmin()]
    spread = values.std(ddof=1) if len(values) > 1 else 0.0
    room = min(values.mean() - above, below - values.mean())
    away = f"{room / spread:.1f}" if spread else "-"
    return (
        f"| {test.replace('::', ' ')} | {name} | {bound} | {values.mean():.4g} ± "
        f"{spread:.2g} ({worst:.4g}) | {away} | "
        f"{estimate_alarms(values, above, below)} | {len(values)} |"
    )


def print_table(found: Lines) -> None:
    rows = ["| test | what | bound | mean ± sd (worst) | sd away | false alarms | n |",
            "|---|---|---|---|---|---|---|"]  # fmt: skip
    rows += [describe(*key, entries) for key, entries in sorted(found.items())]
    sys.stdout.write("\n".join(rows) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description="Print the margins of random tests.")
    parser.add_argument("--seeds", default="1-20", help="such as 1-20")
    parser.add_argument("--keep", type=Path, help="where margins are kept and added to")
    known, given = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        margins = (known.keep or Path(folder) / "margins.jsonl").absolute()
        status = repeat(known.seeds, margins, given)
        print_table(read_margins(margins))
    return status


if __name__ == "__main__":
    sys.exit(main())
