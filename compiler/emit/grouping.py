"""Convolutions with more channel groups than Lava can count."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.emit.layout import GROUPS_MAXIMUM


def joined_groups(weight: NDArray[np.int16], groups: int) -> tuple[NDArray[np.int16], int]:
    """The same convolution with at most 127 groups.

    Lava's Conv keeps the number of groups in eight signed bits (lava/proc/conv/models.py), so 128 groups become -128.
    Several groups are joined into one, with zero weights between them.

    Args:
        weight: (out_channels, in_channels / groups, height, width).
        groups: Any number.

    Returns:
        Weight and number of groups for netx.
    """
    if groups <= GROUPS_MAXIMUM:
        return weight, groups
    fewer = max(count for count in range(1, GROUPS_MAXIMUM + 1) if groups % count == 0)
    joined = groups // fewer
    outputs, inputs, *window = weight.shape
    rows = outputs // groups
    wide = np.zeros((fewer, joined, rows, joined, inputs, *window), weight.dtype)
    blocks = weight.reshape(fewer, joined, rows, inputs, *window)
    for position in range(joined):
        wide[:, position, :, position] = blocks[:, position]
    return wide.reshape(outputs, joined * inputs, *window), fewer


def original_groups(weight: NDArray[np.int16], netx: int, groups: int) -> NDArray[np.int16]:
    """The inverse of :func:`joined_groups`: the weights of ``groups`` groups out of those of ``netx`` groups."""
    if netx == groups:
        return weight
    joined = groups // netx
    outputs, inputs, *window = weight.shape
    wide = weight.reshape(netx, joined, outputs // groups, joined, inputs // joined, *window)
    blocks: NDArray[np.int16] = np.stack([wide[:, position, :, position] for position in range(joined)], axis=1)
    return blocks.reshape(outputs, inputs // joined, *window)
