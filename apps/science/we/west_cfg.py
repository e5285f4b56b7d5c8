"""Write west.cfg: a plain WESTPA configuration that stock tools understand."""

from pathlib import Path
from typing import Any

import yaml

from apps.science.files import write_text
from apps.science.we.config import Bins, RectilinearBins, WEConfig


def _bins(bins: Bins) -> dict[str, Any]:
    if isinstance(bins, RectilinearBins):
        edges = [["-inf", *map(float, edge), "inf"] for edge in bins.edges]
        return {"type": "RectilinearBinMapper", "boundaries": edges}
    return {
        "type": "MABBinMapper",
        "nbins": list(bins.nbins),
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
                    "bins": _bins(config.bins),
                    "bin_target_counts": config.walkers_per_bin,
                }
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
