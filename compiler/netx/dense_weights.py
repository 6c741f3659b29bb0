"""What becomes of a dense layer's weights on the way through netx into Lava's synapse."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# What eight bits of a synapse hold, by the signs of the weights that lie in it.
LOWEST, HIGHEST = -256, 255
HIGHEST_MIXED = 254
WEIGHT_BITS = 8


def loihi_dense_weights(*matrices: NDArray[np.integer[Any]]) -> list[tuple[NDArray[np.int32], int]]:
    """The weights that act, traps included.

    ``lava.lib.dl.netx.utils.optimize_weight_bits`` scales weights up by a power of two until they fill eight bits, and
    says how many of these are used; ``lava.utils.weightutils`` (``determine_sign_mode``, ``clip_weights``,
    ``truncate_weights``) then clips to what a synapse holds and drops the bits that are said to be unused. The two look
    at signs differently: where no weight is positive and one is 0, netx says mixed and Lava says inhibitory, which has
    no -256 and a bit less to drop.

    Args:
        matrices: (out, in) each, -256..255: those of a layer, of which netx scales all alike (recurrent ones too).

    Returns:
        For each the weights, of the same shape, and the number of bits by which Lava shifts their sums to the right.
    """
    given = [matrix.astype(np.int64) for matrix in matrices]
    low, high = min(int(each.min()) for each in given), max(int(each.max()) for each in given)
    if low == high == 0:
        # netx itself fails on these.
        return [(np.zeros(each.shape, np.int32), 0) for each in given]
    if high > HIGHEST_MIXED and low < 0:
        given, high = [np.clip(each, LOWEST, HIGHEST_MIXED) for each in given], HIGHEST_MIXED
    mixed = high >= 0 and low < 0
    if mixed:
        # A highest weight of 0 leaves the lowest to decide.
        scale = min(127 / high if high else np.inf, -128 / low)
    else:
        scale = -256 / low if high < 0 else 255 / high
    shift = int(np.floor(np.log2(scale))) + mixed
    unused = min(_unused_bits(each) for each in given) - mixed
    return [_without_shift(_truncated(each << shift, WEIGHT_BITS - shift - unused), shift) for each in given]


def _without_shift(acting: NDArray[np.int64], shift: int) -> tuple[NDArray[np.int32], int]:
    """Shifted weights where that is the same as shifting their sums, else the weights and the shift."""
    if not (acting & ((1 << shift) - 1)).any():
        return (acting >> shift).astype(np.int32), 0
    return acting.astype(np.int32), shift


def _unused_bits(weight: NDArray[np.int64]) -> int:
    """How many of the lowest eight bits, at most, are 0 in all weights."""
    return next((bits for bits in range(WEIGHT_BITS, 0, -1) if not (weight & ((1 << bits) - 1)).any()), 0)


def _truncated(weight: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """What Lava's dense synapse keeps of weights that are said to have so many bits."""
    inhibitory, mixed = weight.max() <= 0, weight.min() < 0 < weight.max()
    sizes = -weight if inhibitory else weight
    sizes = np.clip(sizes, LOWEST if mixed else 0, HIGHEST)
    dropped = WEIGHT_BITS - bits + mixed
    # numpy shifts by fewer than 0 bits as by all of them.
    sizes = (sizes >> dropped) << dropped if dropped >= 0 else np.zeros_like(sizes)
    return -sizes if inhibitory else sizes
