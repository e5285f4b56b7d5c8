"""Write west.cfg: a plain WESTPA configuration that stock tools understand."""

from pathlib import Path
from typing import Any

import yaml

from apps.science.files import write_text
from apps.science.we.binning import targets
from apps.science.we.config import Bins, RectilinearBins, VoronoiBins, WEConfig


def _bins(config: WEConfig) -> dict[str, Any]:
    """Return the bins; where there are target regions, nested within those."""
    inner = _inner_bins(config.bins)
    regions = [targets.bounds(t) for t in config.targets if t.region is not None]
    if not regions:
        return inner
    outside = [float("nan")] * config.bins.n_dim  # a NaN is in no region
    return {
        "type": "RecursiveBinMapper",
        "base": {
            "type": "apps.science.we.binning.region.RegionBinMapper",
            "regions": [[list(pair) for pair in region] for region in regions],
        },
        "mappers": [inner | {"at": outside}],
    }


def _inner_bins(bins: Bins) -> dict[str, Any]:
    if isinstance(bins, RectilinearBins):
        edges = [["-inf", *map(float, edge), "inf"] for edge in bins.edges]
        return {"type": "RectilinearBinMapper", "boundaries": edges}
    if isinstance(bins, VoronoiBins):
        return {
            "type": "apps.science.we.binning.voronoi.EuclideanVoronoiBinMapper",
            "centers": [list(center) for center in bins.centers],
            "scale": None if bins.scale is None else list(bins.scale),
        }
    return {
        "type": "apps.science.we.binning.mab.Float64MABBinMapper",
        "nbins": list(bins.nbins),
        "direction": list(bins.direction or [0] * bins.n_dim),
        "skip": [int(skipped) for skipped in bins.skip or [False] * bins.n_dim],
        "bottleneck": bins.bottleneck,
    }


def write_west_cfg(
    folder: Path, config: WEConfig, n_frames: int, n_iterations: int
) -> Path:
    """Write ``folder``/west.cfg for a run whose segments save ``n_frames`` frames."""
    cfg = {
        "west": {
            "system": {
                "system_options": {
                    "pcoord_ndim": config.bins.n_dim,
                    "pcoord_len": n_frames + 1,
                    "pcoord_dtype": "PCOORD_DTYPE",
                    "bins": _bins(config),
                    "bin_target_counts": config.walkers_per_bin,
                }
            },
            "we": {
                "weight_split_threshold": config.weight_split_threshold,
                "weight_merge_cutoff": config.weight_merge_cutoff,
                "largest_allowed_weight": config.largest_allowed_weight,
                "smallest_allowed_weight": config.smallest_allowed_weight,
            },
            "propagation": {
                "max_total_iterations": n_iterations,
                "propagator": "apps.science.we.westpa_propagator.WeftPropagator",
                "propagator_block_size": 1,
                "gen_istates": False,
            },
            "data": {
                "west_data_file": "$WEST_SIM_ROOT/west.h5",
                "flush_period": 0,
            },
        }
    }
    text = yaml.safe_dump(cfg, sort_keys=False)
    # float64: MAB appends the weights to the progress coordinates, and float32
    # would round them to zero below 1e-38.
    text = text.replace("PCOORD_DTYPE", "!!python/name:numpy.float64 ''")
    return write_text(folder / "west.cfg", text)
