"""Layers in units of their thresholds."""

from __future__ import annotations

import math

import numpy as np

from snnc.compiler.ir import Linear, Sparse, Weighted
from snnc.compiler.ir.ops import FloatArray


def normalized_weight(synapse: Weighted, unit: FloatArray, source: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Weights in thresholds of the layer per spike of the source; for a sparse operation those of its entries.

    Args:
        synapse: The float operation.
        unit: Threshold of each channel of the layer.
        source: Threshold of each channel of the source.
        shape: Shape of the source.
    """
    if isinstance(synapse, Sparse):
        rows = np.repeat(1 / unit, math.prod(synapse.shape[1:]))
        columns = np.repeat(source, math.prod(shape[1:]))
        entry_rows = np.repeat(np.arange(len(rows)), np.diff(synapse.matrix.indptr))
        return np.asarray(synapse.matrix.data * columns[synapse.matrix.indices] * rows[entry_rows])
    if isinstance(synapse, Linear):
        return synapse.weight * np.repeat(source, math.prod(shape[1:])) / unit[:, None]
    grouped = synapse.weight.reshape(synapse.groups, -1, *synapse.weight.shape[1:])
    scaled: FloatArray = grouped * source.reshape(synapse.groups, 1, -1, 1, 1)
    return scaled.reshape(synapse.weight.shape) / unit.reshape(-1, 1, 1, 1)


def normalized_bias(synapses: tuple[Weighted, ...], axes: int) -> FloatArray:
    """Sum of the biases, shaped to be added to a layer with that many axes."""
    biases = [synapse.bias_map() for synapse in synapses]
    total = sum(biases[1:], start=biases[0])
    return total.reshape(-1, *(1,) * (axes - 1)) if total.ndim < axes else total
