"""A synapse's weights as NIR has them: plain floats without groups, exponents and missing entries; and back.

Every weight is an integer below 2**15, so single precision holds it exactly.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.program.layer import Entries, Synapse

__all__ = ["Floats", "dense_weight", "synapse_weight"]

Floats = NDArray[np.float32]


def dense_weight(synapse: Synapse, source_shape: tuple[int, ...]) -> Floats:
    """Return what a spike adds, with a number for each pair of connected channels or neurons.

    Args:
        synapse: The synapse.
        source_shape: Shape of what it reads.

    Returns:
        (out_channels, in_channels, height, width) for convolutions, else (neurons of the layer, of the source).
    """
    weight = synapse.scaled_weight.astype(np.float32)
    if synapse.kind == "dense":
        return weight
    if synapse.kind == "sparse":
        matrix: Floats = synapse.matrix(source_shape).toarray().astype(np.float32) * np.float32(1 << synapse.exponent)
        return matrix
    groups = synapse.groups
    outputs, inputs, *window = weight.shape
    wide = np.zeros((groups, outputs // groups, groups, inputs, *window), np.float32)
    for group, rows in enumerate(weight.reshape(groups, outputs // groups, inputs, *window)):
        wide[group, :, group] = rows
    return wide.reshape(outputs, groups * inputs, *window)


def synapse_weight(
    weight: NDArray[Any], kind: str, exponent: int, groups: int, entries: Entries | None
) -> NDArray[np.int16]:
    """Return the inverse of :func:`dense_weight`.

    Args:
        weight: What stands in the graph.
        kind: As in :class:`Synapse`.
        exponent: As in :class:`Synapse`.
        groups: As in :class:`Synapse`.
        entries: As in :class:`Synapse`.

    Raises:
        ValueError: A weight is no integer that the exponent divides, or does not fit.
    """
    values = np.asarray(weight, np.float64) / (1 << exponent)
    if kind == "conv" and groups > 1:
        outputs, inputs, *window = values.shape
        blocks = values.reshape(groups, outputs // groups, groups, inputs // groups, *window)
        values = np.stack([blocks[group, :, group] for group in range(groups)])
        values = values.reshape(outputs, inputs // groups, *window)
    if entries is not None:
        rows = np.repeat(np.arange(len(entries.row_starts) - 1), np.diff(entries.row_starts))
        values = values[rows, entries.columns]
    integers = np.rint(values)
    if not np.isfinite(values).all() or (integers != values).any() or (np.abs(integers) > math.ldexp(1, 8)).any():
        raise ValueError("a weight is not of 8 bits")
    found: NDArray[np.int16] = integers.astype(np.int16)
    return found
