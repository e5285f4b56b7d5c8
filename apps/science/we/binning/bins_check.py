"""Stop a run whose bins do nothing: all walkers in one bin, from the start on."""

from collections.abc import Mapping, Sequence
from typing import Any

from apps.science.errors import ConfigError
from apps.science.we.config import RectilinearBins, VoronoiBins, WEConfig


def check_bins_change(summaries: Sequence[Mapping[str, Any]], config: WEConfig) -> None:
    """Check that walkers have ever occupied more than one bin.

    Parameters
    ----------
    summaries : one per closed iteration, from the first on, with n_bins_occupied,
        pcoord_min and pcoord_max (n_dim,)

    Raises
    ------
    ConfigError
        If after ``config.one_bin_patience`` iterations all walkers have only ever
        been in one bin.
    """
    patience = config.one_bin_patience or len(summaries) + 1
    if len(summaries) < patience or any(s["n_bins_occupied"] > 1 for s in summaries):
        return
    lows = zip(*(s["pcoord_min"] for s in summaries), strict=True)
    highs = zip(*(s["pcoord_max"] for s in summaries), strict=True)
    extent = [(min(low), max(high)) for low, high in zip(lows, highs, strict=True)]
    seen = ", ".join(f"{low:.4g} to {high:.4g}" for low, high in extent)
    if all(low == high for low, high in extent):
        remedy = (
            "It does not move at all: check the progress coordinate and the segment "
            "length."
        )
    else:
        remedy = f"The bins have {_describe(config)}. {_remedy(config)}"
    raise ConfigError(
        f"In {len(summaries)} iterations all walkers were in one bin, so nothing was "
        f"ever split: this is plain MD. The progress coordinate went over {seen}. "
        f"{remedy}"
    )


def _describe(config: WEConfig) -> str:
    bins = config.bins
    if isinstance(bins, RectilinearBins):
        edges = " and ".join(str([float(x) for x in e]) for e in bins.edges)
        return f"the edges {edges}"
    if isinstance(bins, VoronoiBins):
        shown = ", ".join(str(list(center)) for center in bins.centers[:6])
        more = f" and {len(bins.centers) - 6} more" if len(bins.centers) > 6 else ""
        return f"the centres {shown}{more}"
    return f"nbins {list(bins.nbins)}, skip {bins.skip}, direction {bins.direction}"


def _remedy(config: WEConfig) -> str:
    if isinstance(config.bins, RectilinearBins):
        return "Put edges within that extent, or use adaptive bins (kind: mab)."
    if isinstance(config.bins, VoronoiBins):
        return "Put centres within that extent, or use adaptive bins (kind: mab)."
    return "Raise nbins, or keep the bottleneck and end bins."
