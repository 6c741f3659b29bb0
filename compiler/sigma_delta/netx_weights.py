"""Weights that netx and Lava leave as they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Both signs of a weight of eight bits.
WEIGHT_MAXIMUM = 127


def kept_by_netx(weight: NDArray[np.int16]) -> NDArray[np.int16]:
    """The weights of a dense layer, changed by one where netx and Lava would change them between them.

    netx scales a matrix up by a power of two until it fills eight bits and a sign
    (lava/lib/dl/netx/utils.py, ``optimize_weight_bits``), which gives -256 where the least weight is a negative power
    of two. Lava takes -256 for -255 where no weight is positive (lava/utils/weightutils.py, ``clip_weights``). Such a
    matrix has its least weight raised by one.

    Args:
        weight: (out, in), -127..127.
    """
    least = -int(weight.min(initial=0))
    if weight.max(initial=0) > 0 or least.bit_count() != 1:
        return weight
    return np.maximum(weight, 1 - least).astype(np.int16)
