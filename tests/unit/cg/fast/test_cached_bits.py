"""The bits of compiled dynamics do not depend on what a process found in a cache."""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.science.arrays import Array
from apps.science.cg.fast.dynamics import FastForceField
from apps.science.propagators._packed import LangevinSettings

REPOSITORY = Path(__file__).parents[4]
SCRIPT = """
import hashlib, pickle, sys
field, x, v, settings = pickle.load(open(sys.argv[1], "rb"))
found = field.run(x, v, range(len(x)), settings)
parts = (found.positions, found.forces, found.final_positions, found.final_velocities)
print(hashlib.sha256(b"".join(p.numpy().tobytes() for p in parts)).hexdigest())
"""


@pytest.mark.slow
def test_what_is_compiled_now_has_the_bits_of_what_is_read_from_the_cache(
    make_field: Callable[..., Any], chains: Callable[..., Array], tmp_path: Path
) -> None:
    """No part may be linked that a process that compiles has compiled alone."""
    x = chains(40)
    v = np.random.default_rng(1).normal(size=x.shape)
    settings = LangevinSettings(300.0, 1.0, 0.004, 400, 40, 8.0)
    given = tmp_path / "given.pkl"
    field = FastForceField(make_field("graph tanh"))
    given.write_bytes(pickle.dumps((field, x, v, settings)))
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def run() -> str:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(given)], env=environment, text=True,
            capture_output=True, check=False, cwd=REPOSITORY,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[-1]

    assert run() == run()
    assert list((tmp_path / "cache").rglob("*run_tile*.nbi"))
