"""The body of ``weft data``: what is in a segments.h5, a dataset.h5, or a run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
from rich.console import Console
from rich.table import Table
from rich.text import Text

from apps.science.cg.dataset.facts import describe_dataset
from apps.science.errors import DataError
from apps.science.segments.store_facts import describe_store
from campaign.layout.protein_dir import ProteinDir
from campaign.telling.words import number

_BLOCKS = " ▏▎▍▌▋▊▉█"
_NARROWEST, _WIDEST = 6, 40
_LABELS = 50
"""Columns that a histogram's numbers take beside its two bars."""
_ROUNDING = 1e-9
_SHOWN = 5e-5
"""Share of the weight below which a bar would say more than there is."""


def describe(path: Path) -> list[dict[str, Any]]:
    """Return the facts of each data file that ``path`` means.

    Raises
    ------
    DataError
        If there is none, or one cannot be read.
    """
    if not path.is_dir():
        return [_describe_file(path)]
    run = ProteinDir.at(path)
    files = [
        *(home.segments for home in run.each_protein()),
        *(home.dataset for home in run.each_learner()),
    ]
    found = [p for p in files if p.exists()]
    if not found:
        raise DataError(
            f"{path} has neither segments.h5 nor cg/dataset.h5. Give a run folder "
            "whose ingest stage is done, or one of these files."
        )
    return [_describe_file(p) for p in found]


def _describe_file(path: Path) -> dict[str, Any]:
    try:
        with h5py.File(path, "r", locking=False) as h5:
            schema = h5.attrs.get("schema")
            is_dataset = "meta" in h5
    except FileNotFoundError:
        raise DataError(
            f"{path} does not exist. Give a segments.h5, a dataset.h5 or a run folder."
        ) from None
    except OSError as error:
        raise DataError(
            f"{path} cannot be read as HDF5 ({error}). Give a segments.h5, a "
            "dataset.h5 or a run folder."
        ) from None
    if not is_dataset and schema is None:
        raise DataError(
            f"{path} was not written by weft, or is none of its data files. Give a "
            "segments.h5, a dataset.h5 or a run folder."
        )
    try:
        return describe_dataset(path) if is_dataset else describe_store(path)
    except (KeyError, ValueError, TypeError, AttributeError, OSError) as error:
        said = str(error.args[0] if error.args else type(error).__name__)
        raise DataError(
            f"{path} is incomplete, or no file of weft's: {said}. If it is a run's, "
            "move it away and resume the run, which writes it again."
        ) from None


def show(path: Path, out: Console) -> None:
    """Print what is in a file, or in the files of a run."""
    for k, facts in enumerate(describe(path)):
        if k:
            out.print()
        lines = _of_dataset(facts) if facts["kind"] == "dataset" else _of_store(facts)
        for line in lines:
            out.print(line, soft_wrap=False)


def _of_store(facts: dict[str, Any]) -> Iterator[Any]:
    yield Text(f"{facts['path']}: ingested segments", style="bold")
    rows = [
        ("frames", f"{facts['n_frames']:,} in {facts['n_segments']:,} segments"),
        ("iterations", _span(facts)),
        ("atoms", f"{facts['n_atoms']:,} a frame"),
        ("lineages", f"{facts['n_lineages']:,}" if facts["n_lineages"] else "unknown"),
        *_weight_rows(facts, "raw"),
    ]
    if facts["discarded_mass"] > _ROUNDING:
        lost = f"up to {number(facts['discarded_mass'])} of an iteration's weight"
        rows.append(("left out", f"{lost}, below the cutoff"))
    if "shards" in facts:
        shards = facts["shards"]
        size = _size(shards["size_bytes"])
        rows.append(("shards", f"{shards['n']:,}, {size}, hold the frames"))
    yield _grid(rows + _file_rows(facts))
    yield from _histograms(facts, "raw")


def _of_dataset(facts: dict[str, Any]) -> Iterator[Any]:
    proteins, used = facts["proteins"], facts["weights"]
    n = len(proteins)
    title = f"{facts['path']}: training set of {n} protein{'s' if n > 1 else ''}"
    yield Text(title, style="bold")
    yield _grid([("trained with", f"{used} weights"), *_file_rows(facts)])
    for protein in proteins:
        yield ""
        yield Text(f"protein {protein['name']}", style="bold")
        yield _grid(_protein_rows(protein, used))
        yield from _histograms(protein, used)


def _protein_rows(protein: dict[str, Any], used: str) -> list[tuple[str, str]]:
    kelvin = protein["temperature_kelvin"]
    rows = [
        ("frames", _say_frames(protein)),
        (
            "split",
            f"{protein['n_train']:,} train, {protein['n_validation']:,} validate, by "
            f"{protein['split_by']}",
        ),
        ("iterations", f"{_span(protein)}; {protein['n_lineages']:,} lineages"),
        ("beads", f"{protein['n_beads']} {protein['beads']}"),
        ("force map", str(protein["force_map"])),
        ("temperature", "unknown" if kelvin is None else f"{kelvin:g} K"),
        ("prior sha256", str(protein["prior_sha256"])),
        *_weight_rows(protein, used),
    ]
    if protein["sequence"]:
        rows.insert(0, ("sequence", str(protein["sequence"])))
    return rows


def _say_frames(protein: dict[str, Any]) -> str:
    text, source = f"{protein['n_frames']:,}", protein["n_source_frames"]
    if source and source > protein["n_frames"]:
        text += (
            f" of {source:,}: without {protein['burn_in_iterations']} iterations of "
            f"burn-in and weights below {protein['weight_cutoff']:g}, "
            f"{number(protein['discarded_mass'])} of the weight"
        )
    return text


def _span(facts: dict[str, Any]) -> str:
    return f"{facts['first_iter']} to {facts['last_iter']}"


def _weight_rows(facts: dict[str, Any], used: str) -> list[tuple[str, str]]:
    """Return ESS and largest weight, raw and equilibrium, and how they differ."""
    rows = []
    for name in ("raw", "equilibrium"):
        worth = facts.get(name)
        label = "ESS raw" if name == "raw" else "ESS equil."
        if worth is None:
            rows.append((label, f"none: {facts['equilibrium_absent']}"))
            continue
        if "ess" not in worth:
            rows.append((label, "0: every weight is zero"))
            continue
        mark = " (in use)" if name == used and "n_train" in facts else ""
        rows.append(
            (
                label,
                f"{worth['ess']:,.1f} frames, {worth['ess'] / facts['n_frames']:.2%}; "
                f"largest weight {number(worth['largest'])}, "
                f"{worth['largest_share']:.2%} of all{mark}",
            )
        )
    found = facts.get("equilibrium")
    if found and "distance" in found:
        word = "has relaxed" if found["has_relaxed"] else "has NOT relaxed"
        rows.append(
            (
                "the ensemble",
                f"{word}: raw and equilibrium probabilities differ by up to "
                f"{found['distance']:.3f}",
            )
        )
    return rows


def _file_rows(facts: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("units", facts["units"]),
        ("schema", facts["schema"]),
        ("size", _size(facts["size_bytes"])),
        ("sha256", facts["sha256"]),
    ]


def _grid(rows: list[tuple[str, str]]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in rows:
        grid.add_row(f"  {label}", Text(text, style=_style(text)))
    return grid


def _style(text: str) -> str:
    return "yellow" if text.startswith("has NOT") else ""


class _Histogram:
    """Frames and weight by decade; its bars take what width is left."""

    def __init__(self, name: str, worth: dict[str, Any]) -> None:
        self.name, self.bins = name, worth["histogram"]
        self.n_frames, self.n_zero = worth["n_frames"], worth["n_zero"]

    def __rich_console__(self, console: Console, options: Any) -> Iterator[Table]:
        """Yield the table, drawn for the terminal's width."""
        room = (options.max_width - _LABELS) // 2
        width = max(_NARROWEST, min(_WIDEST, room))
        table = Table.grid(padding=(0, 2, 0, 0))
        table.title = f"  {self.name} weights, in units of their mean"
        table.title_justify = "left"
        table.title_style = ""
        for justify in ("left", "right", "left", "right", "left"):
            table.add_column(justify=justify, no_wrap=True)
        dim = [Text(t, style="dim") for t in ("  weight", "frames", "", "carry", "")]
        table.add_row(*dim)
        most = max(b["n_frames"] for b in self.bins)
        heaviest = max(b["weight_share"] for b in self.bins)
        for one in self.bins:
            low, high = int(one["from_log10"]), int(one["to_log10"])
            share = one["weight_share"]
            table.add_row(
                f"  1e{low} to 1e{high}",
                f"{one['n_frames']:,}",
                Text(bar(one["n_frames"] / most, width), style="cyan"),
                f"{100 * share:.2f} %" if share >= _SHOWN else "~0 %",
                Text(bar(share / heaviest, width), style="green")
                if share >= _SHOWN
                else "",
            )
        if self.n_zero:
            table.add_row("  zero", f"{self.n_zero:,}", "", "0 %", "")
        yield table


def _histograms(facts: dict[str, Any], used: str) -> Iterator[_Histogram]:
    names = [used, *(n for n in ("raw", "equilibrium") if n != used)]
    for name in names:
        if facts.get(name) and "histogram" in facts[name]:
            yield _Histogram(name, facts[name])


def bar(share: float, width: int) -> str:
    """Return a bar of ``width`` columns, filled by eighths; what is there is seen."""
    eighths = round(share * width * 8)
    if share > 0:
        eighths = max(1, eighths)
    whole, rest = divmod(eighths, 8)
    text = "█" * whole + (_BLOCKS[rest] if rest else "")
    return text.ljust(width)


def _size(n_bytes: int) -> str:
    size = float(n_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError
