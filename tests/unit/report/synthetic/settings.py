"""What was asked, where it ran, and what the system is."""

import json
from pathlib import Path

import yaml

from .hairpin import N_BEADS

N_ITERATIONS = 30


def write_settings(root: Path) -> None:
    """Write what was asked, where it ran, and what the system is."""
    root.mkdir(parents=True, exist_ok=True)
    config = {
        "name": "hairpin", "type": "force_field", "seed": 7,
        "system": {"sequence": "YYDPETGTWY"},
        "benchmark": {"segment_length_fs": 4000.0, "frame_interval_fs": 800.0},
        "sample": {"segment_length_fs": 4000.0, "n_iterations": N_ITERATIONS},
    }  # fmt: skip
    (root / "resolved.yaml").write_text(yaml.safe_dump(config))
    environment = {
        "started": "2026-05-28T20:26:40+00:00", "host": "node", "n_cores": 2,
        "memory_gib": 16.0, "python": "3.11.9", "gpus": [], "site": "local",
        "processor": "A processor", "git": None,
        "packages": {"weft": "0.1.0", "torch": "2.13.0"},
    }  # fmt: skip
    (root / "environment.json").write_text(json.dumps(environment))
    system = {
        "sequence": "YYDPETGTWY", "n_particles": 166, "solvent": "gbn2",
        "periodic": False, "temperature_kelvin": 300.0, "friction_per_ps": 1.0,
        "timestep_fs": 4.0, "start_names": ["native", "extended"],
        "taken": {"Ions": "none", "Left out": "3 waters (no water is simulated)"},
    }  # fmt: skip
    (root / "system").mkdir(exist_ok=True)
    (root / "system" / "system.json").write_text(json.dumps(system))
    mapping = {
        "kind": "calpha", "names": ["CA"] * N_BEADS, "n_atoms": 166,
        "resids": list(range(1, N_BEADS + 1)),
        "bonds": [[k, k + 1] for k in range(N_BEADS - 1)],
    }  # fmt: skip
    (root / "cg").mkdir(exist_ok=True)
    (root / "cg" / "mapping.json").write_text(json.dumps(mapping))
