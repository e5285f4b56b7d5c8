"""SiLU and tanh with their slopes, in single precision and in vector instructions."""

import numpy as np

from apps.science.arrays import Array, IntArray
from apps.science.cg.fast.compiled import kernel

_LOG2_E = np.float32(1.4426950408889634)
_LN_2 = np.float32(0.6931471805599453)
_FAR = np.float32(80.0)
_ONE, _TWO, _HALF = np.float32(1), np.float32(2), np.float32(0.5)
_C3, _C4 = np.float32(1 / 6), np.float32(1 / 24)
_C5, _C6 = np.float32(1 / 120), np.float32(1 / 720)
_C7 = np.float32(1 / 5040)


@kernel
def activate(values: Array, slopes: Array, whole: IntArray, activation: int) -> None:
    """Replace ``values`` by the activation of them, and write its slopes.

    Parameters
    ----------
    values, slopes : (n, C), float32
    whole : (n, C), int32, room
    activation : ``network_arrays.SILU`` or ``TANH``
    """
    v, s, w = values.ravel(), slopes.ravel(), whole.ravel()
    scale = -_TWO if activation else -_ONE
    _exponentials(v, s, w, scale)
    if activation:
        for c in range(len(v)):
            v[c] = _TWO / (_ONE + s[c]) - _ONE
            s[c] = _ONE - v[c] * v[c]
    else:
        for c in range(len(v)):
            sigmoid = _ONE / (_ONE + s[c])
            x = v[c]
            v[c] = x * sigmoid
            s[c] = sigmoid * (_ONE + x * (_ONE - sigmoid))


@kernel
def _exponentials(
    values: Array, out: Array, whole: IntArray, scale: np.float32
) -> None:
    """Write exp(scale * values): a power of two times a Taylor polynomial."""
    for c in range(len(values)):
        x = min(max(values[c] * scale, -_FAR), _FAR)
        k = np.floor(x * _LOG2_E + _HALF)
        f = x - k * _LN_2
        high = _C4 + f * (_C5 + f * (_C6 + f * _C7))
        out[c] = _ONE + f * (_ONE + f * (_HALF + f * (_C3 + f * high)))
        whole[c] = (np.int32(k) + np.int32(127)) << np.int32(23)
    powers = whole.view(np.float32)
    for c in range(len(values)):
        out[c] *= powers[c]
