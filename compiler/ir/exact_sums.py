"""What synapses make of real numbers, the same to the last bit wherever it is computed.

Sums in floating point depend on their order, which differs between versions of PyTorch, numbers of threads, sizes of
batches and processors. Double precision makes the difference small, and convolutions up to ten times as slow. Here
weights and inputs are cut into digits instead, integers so small that float32 holds every partial sum: two or three
convolutions in float32, each of them exact (after Ozaki et al., Numerical Algorithms 59, 2012).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from snnc.compiler.ir.graph import Graph
from snnc.compiler.ir.ops import Conv2d, FloatArray, Linear
from snnc.compiler.ir.sparse import Sparse, sparse_tensor
from snnc.compiler.ir.spiking import Readout, SpikingLayer, Weighted
from snnc.compiler.program.memory_order import layer_order

# All integers up to 2 ** 24 are float32 numbers.
EXACT_BITS = 24
# An input has two digits of so many bits and a sign; the first one reaches 2 ** 7 itself.
DIGIT_BITS = 7
# Weights have as many digits as it takes to come so near to the largest weight of their neuron, but no more than these.
WEIGHT_BITS, DIGITS_MAXIMUM = 12, 4
# Of a neuron that is added up at once: the more there are, the fewer bits each has. No convolution has many more.
INPUTS_MAXIMUM = 1 << 13


class ExactSums:
    """The drive of a layer: the sum of what its synapses compute.

    An input is rounded to 14 bits of the sample's largest one, a weight to 12 bits of its neuron's largest one, and
    products of two second digits are left out: about as much as one part in 10,000 of a neuron's drive, which 8 bits do
    not see.

    Args:
        synapses: The operations, one for each input.
    """

    def __init__(self, synapses: tuple[Weighted, ...]) -> None:
        self._pieces = [[(each, inputs, _digits(each)) for each, inputs in _pieces(synapse)] for synapse in synapses]
        self._biases = [torch.as_tensor(synapse.bias_map(), dtype=torch.float32) for synapse in synapses]

    def drive(self, *inputs: torch.Tensor) -> torch.Tensor:
        """The drive.

        Args:
            inputs: For each synapse (batch, *source shape), finite, on the CPU.

        Returns:
            (batch, *shape), float32.
        """
        total: torch.Tensor | None = None
        for pieces, bias, values in zip(self._pieces, self._biases, inputs, strict=True):
            for piece, read, digits in pieces:
                # A part of them is the same whatever other parts there are.
                part = _products(piece, digits, values if read is None else values.flatten(1)[:, read])
                total = part if total is None else total.add_(part)
            assert total is not None
            total.add_(bias)
        assert total is not None
        return total


def exact_sums(graph: Graph) -> dict[str, ExactSums]:
    """What computes the drive of each layer of a network, by the layer's name."""
    layers = graph.of_kind(SpikingLayer, Readout)
    return {each.name: ExactSums(each.op.synapses) for each in layers if isinstance(each.op, SpikingLayer | Readout)}


def _pieces(synapse: Weighted) -> list[tuple[Weighted, slice | None]]:
    """A synapse as several that read parts of the input, where it has too many inputs to be precise at once."""
    if isinstance(synapse, Conv2d):
        return [(synapse, None)]
    matrix = synapse.matrix if isinstance(synapse, Sparse) else synapse.weight
    count = matrix.shape[1]
    if count <= INPUTS_MAXIMUM:
        return [(synapse, None)]
    parts = [slice(start, min(start + INPUTS_MAXIMUM, count)) for start in range(0, count, INPUTS_MAXIMUM)]
    if isinstance(synapse, Linear):
        return [(Linear(synapse.weight[:, each], synapse.bias), each) for each in parts]
    columns = synapse.matrix.tocsc()
    return [(replace(synapse, matrix=columns[:, each].tocsr()), each) for each in parts]


def _digits(synapse: Weighted) -> list[tuple[torch.Tensor, FloatArray]]:
    """Integers and their grains, (neurons or channels,), which add up to a synapse's weights."""
    if isinstance(synapse, Sparse):
        rows = np.repeat(np.arange(synapse.matrix.shape[0]), np.diff(synapse.matrix.indptr))
        left, count = synapse.matrix.data, synapse.matrix.shape[0]
    else:
        left, count = synapse.weight.reshape(len(synapse.weight), -1), len(synapse.weight)
        rows = None
    found: list[tuple[torch.Tensor, FloatArray]] = []
    enough = _largest(left, rows, count) * 2.0**-WEIGHT_BITS
    while not found or (len(found) < DIGITS_MAXIMUM and (_largest(left, rows, count) > enough).any()):
        grain = _grain(left, rows, count)
        each = grain[:, None] if rows is None else grain[rows]
        whole = np.rint(left / each)
        left = left - whole * each
        found.append((_as_weight(synapse, whole), grain))
    return found


def _grain(weights: FloatArray, rows: NDArray[np.intp] | None, count: int) -> FloatArray:
    """For each neuron the least power of two in which all its weights together and an input's digit stay exact."""
    _, exponent = np.frexp(_total(np.abs(weights), rows, count))
    grain = np.ldexp(1.0, exponent - (EXACT_BITS - DIGIT_BITS))
    while True:
        each = grain[:, None] if rows is None else grain[rows]
        excess = _total(np.abs(np.rint(weights / each)), rows, count) > 2.0 ** (EXACT_BITS - DIGIT_BITS)
        if not excess.any():
            return grain
        grain = np.where(excess, 2 * grain, grain)


def _total(values: FloatArray, rows: NDArray[np.intp] | None, count: int) -> FloatArray:
    total: FloatArray = values.sum(1) if rows is None else np.bincount(rows, values, count).astype(np.float64)
    return total


def _largest(values: FloatArray, rows: NDArray[np.intp] | None, count: int) -> FloatArray:
    if rows is None:
        found: FloatArray = np.abs(values).max(1, initial=0)
        return found
    found = np.zeros(count)
    np.maximum.at(found, rows, np.abs(values))
    return found


def _as_weight(synapse: Weighted, whole: FloatArray) -> torch.Tensor:
    if isinstance(synapse, Sparse):
        matrix = synapse.matrix.copy()
        matrix.data = whole
        return sparse_tensor(matrix, torch.empty(0))
    return torch.as_tensor(whole.reshape(synapse.weight.shape), dtype=torch.float32)


def _products(synapse: Weighted, digits: list[tuple[torch.Tensor, FloatArray]], values: torch.Tensor) -> torch.Tensor:
    """A synapse's output without its bias, (batch, *shape), float32."""
    batch = len(values)
    _, exponent = np.frexp(values.flatten(1).abs().amax(1).numpy())
    # Products with powers of two are exact, so that only the integers themselves are rounded.
    scale = torch.as_tensor(np.ldexp(1.0, 2 * DIGIT_BITS - exponent), dtype=values.dtype)
    whole = (values * scale.reshape(-1, *(1,) * (values.ndim - 1))).float().round_()
    # The first digits of all samples, and behind them the second ones.
    parts = torch.empty((2 * batch, *values.shape[1:]), memory_format=layer_order(tuple(values.shape[1:])))
    first = torch.mul(whole, 2.0**-DIGIT_BITS, out=parts[:batch]).round_()
    torch.sub(whole, first, alpha=2**DIGIT_BITS, out=parts[batch:])
    (weight, grain), *others = digits
    product = _product(synapse, weight, parts)
    total = product[:batch].mul_(2.0**DIGIT_BITS).add_(product[batch:]).mul_(_unit(synapse, grain, exponent))
    for weight, grain in others:
        total.add_(_product(synapse, weight, first).mul_(_unit(synapse, grain, exponent, DIGIT_BITS)))
    return total


def _unit(synapse: Weighted, grain: FloatArray, exponent: NDArray[np.int32], digit: int = 0) -> torch.Tensor:
    """What 1 in a sum of products of digits stands for, shaped to be multiplied with the output."""
    axes = synapse.shape if isinstance(synapse, Sparse) else (-1, 1, 1) if isinstance(synapse, Conv2d) else (-1,)
    shape = (1,) * len(axes)
    sizes = np.ldexp(1.0, exponent - 2 * DIGIT_BITS + digit).reshape(-1, *shape)
    return torch.as_tensor(grain.reshape(1, *axes) * sizes, dtype=torch.float32)


def _product(synapse: Weighted, weight: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    if isinstance(synapse, Conv2d):
        return synapse.convolved(values, weight)
    if isinstance(synapse, Linear):
        return F.linear(values.flatten(1), weight)
    product: torch.Tensor = torch.sparse.mm(weight, values.flatten(1).T).T.reshape(-1, *synapse.shape)
    return product
