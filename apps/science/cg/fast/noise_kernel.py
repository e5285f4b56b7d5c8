"""Normal numbers by counter: the same function as ``_packed.counter_normals``."""

import math

import numpy as np

from apps.science.arrays import Array
from apps.science.cg.fast.compiled import kernel

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_30, _27, _31, _32 = (np.uint64(n) for n in (30, 27, 31, 32))
_LOW = np.uint64(0xFFFFFFFF)
_SCALE = 2.0**-32


@kernel
def hash_counter(counter: np.uint64) -> np.uint64:
    """Return 64 mixed bits of a uint64 (the finaliser of splitmix64)."""
    z = counter * _GOLDEN
    z = (z ^ (z >> _30)) * _MIX_1
    z = (z ^ (z >> _27)) * _MIX_2
    return z ^ (z >> _31)


@kernel
def fill_normals(out: Array, key: np.uint64, step: int) -> None:
    """Fill ``out`` (n,) with the normals of a step, by Box and Muller.

    Parameters
    ----------
    key : uint64, ``hash_counter`` of a replica's seed
    """
    n_pairs = (len(out) + 1) // 2
    for p in range(n_pairs):
        counter = np.uint64(step * n_pairs + p + 1)
        bits = hash_counter(np.uint64(key + counter))
        uniform = (np.float64(bits >> _32) + 0.5) * _SCALE
        angle = np.float64(bits & _LOW) * (2.0 * math.pi * _SCALE)
        radius = math.sqrt(-2.0 * math.log(uniform))
        out[p] = radius * math.cos(angle)
        if n_pairs + p < len(out):
            out[n_pairs + p] = radius * math.sin(angle)
