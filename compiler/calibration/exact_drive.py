"""What spikes make of a synapse's weights, the same to the last bit wherever it is computed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from snnc.compiler.ir import Shape, Sparse, Weighted
from snnc.compiler.ir.execute import channels_last
from snnc.compiler.ir.ops import FloatArray, as_tensor
from snnc.compiler.passes.normalize import normalized_weight

# Integers below 2 ** 24 are exact in float32; half of that is left for what rounding adds.
BITS = 23


def exact_drive(synapse: Weighted, threshold: FloatArray, fired: torch.Tensor, shape: Shape) -> torch.Tensor:
    """A synapse's part of a layer's drive, without its bias.

    Sums of float32 depend on their order, which differs between versions of PyTorch, numbers of threads and sizes of
    batches; spikes then differ, and with them the file. So each neuron's weights become integers of so many bits that
    even all of them together stay exact in float32: whatever the order, the sum is the same. A weight moves by at
    most ``2 ** -23`` of the sum of its neuron's weights' sizes, which the chip's 8 bits do not see.

    Args:
        synapse: The operation.
        threshold: What a spike of each channel of the source stands for, (channels of the source,).
        fired: Spikes, 0 or 1, (batch, *source shape), float32.
        shape: Shape of the layer.

    Returns:
        (batch, *shape), float32.
    """
    ones = np.ones(shape[0])
    weight = normalized_weight(synapse, ones, threshold, tuple(fired.shape[1:]))
    if isinstance(synapse, Sparse):
        matrix = synapse.matrix.copy()
        matrix.data = np.abs(weight)
        grain = _grain(np.asarray(matrix.sum(axis=1), np.float64).ravel())
        matrix.data = np.rint(weight / np.repeat(grain, np.diff(matrix.indptr)))
        whole: Weighted = replace(synapse, matrix=matrix, bias=np.zeros_like(synapse.bias))
        grain = grain.reshape(shape)
    else:
        sizes = np.abs(weight).reshape(len(weight), -1).sum(1)
        grain = _grain(sizes)
        rounded = np.rint(weight / grain.reshape(-1, *(1,) * (weight.ndim - 1)))
        whole = replace(synapse, weight=rounded, bias=np.zeros_like(synapse.bias))
        grain = grain.reshape(-1, *(1,) * (len(shape) - 1))
    drive = whole.apply(channels_last(fired))
    return drive * as_tensor(grain, drive)


def _grain(sizes: FloatArray) -> FloatArray:
    """For each neuron the power of two that its weights, whose sizes add up so, are multiples of."""
    _, exponent = np.frexp(sizes)
    grain: FloatArray = np.ldexp(1.0, exponent - BITS)
    return grain
