"""Repeat the tests of a random outcome with other seeds, and print their margins.

``python tests/repeat_random.py [--seeds 1-20] [--keep FILE] [arguments of pytest]``

Prints, as the table of tests/README.md, where the numbers of each bound lay and how
often chance alone would pass it: the tail beyond the bound of a normal distribution
with their mean and standard deviation.
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Row:
    """One bound of one test, and where the numbers lay."""

    test: str
    name: str
    entries: list[dict[str, Any]]

    @property
    def values(self) -> np.ndarray:
        return np.array([e["value"] for e in self.entries])

    @property
    def limits(self) -> tuple[float, float]:
        return self.entries[0]["above"], self.entries[0]["below"]

    @property
    def spread(self) -> float:
        spread = self.values.std(ddof=1) if len(self.entries) > 1 else 0.0
        return float(spread) if spread > 1e-12 * abs(self.values.mean()) else 0.0

    @property
    def n_outside(self) -> int:
        above, below = self.limits
        return int(((self.values <= above) | (self.values >= below)).sum())

    @property
    def rate(self) -> float:
        """How often a number would lie outside its bounds, were it normal."""
        if self.n_outside or not self.spread:
            return self.n_outside / len(self.entries)
        above, below = self.limits
        mean = self.values.mean()
        beyond = stats.norm.sf((below - mean) / self.spread)
        return float(stats.norm.cdf((above - mean) / self.spread) + beyond)

    def describe(self, n_more: int) -> str:
        above, below = self.limits
        signs = [(">", above), ("<", below)]
        bound = " and ".join(f"{sign} {x:.3g}" for sign, x in signs if np.isfinite(x))
        values = self.values
        worst = values[np.minimum(values - above, below - values).argmin()]
        rate = f"{self.rate:.0e}" if self.rate > 1e-12 else "< 1e-12"
        if self.n_outside or not self.spread:
            rate = f"{self.n_outside} of {len(values)}"
        more = f" (and {n_more} more)" if n_more else ""
        return (
            f"| {self.test.replace('::', ' ')} | {self.name}{more} | {bound or 'none'} "
            f"| {values.mean():.4g} ± {self.spread:.2g} | {worst:.4g} | {rate} "
            f"| {len(values)} |"
        )


def print_table(found: Lines, every: bool = False) -> None:
    """Print every bound, or of each test the one that is passed most easily."""
    lines = ["| test | what | bound | mean ± sd | worst | false alarms | n |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    rows = sorted((Row(*key, entries) for key, entries in found.items()),
                  key=lambda row: (row.test, -row.rate))  # fmt: skip
    for _, group in itertools.groupby(rows, key=lambda row: row.test):
        first, *rest = group
        lines.append(first.describe(0 if every else len(rest)))
        lines += [row.describe(0) for row in rest if every]
    sys.stdout.write("\n".join(lines) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description="Print the margins of random tests.")
    parser.add_argument("--seeds", default="1-20", help="such as 1-20")
    parser.add_argument("--keep", type=Path, help="where margins are kept and added to")
    parser.add_argument("--all", action="store_true", help="print every bound")
    known, given = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        margins = (known.keep or Path(folder) / "margins.jsonl").absolute()
        status = repeat(known.seeds, margins, given)
        print_table(read_margins(margins), known.all)
    return status


if __name__ == "__main__":
    sys.exit(main())
