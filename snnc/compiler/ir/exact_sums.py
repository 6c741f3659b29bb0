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

from snnc.common.arrays import FloatArray, per_channel
from snnc.common.digits import largest, take_digit
from snnc.common.memory_order import layer_order
from snnc.compiler.ir.graph import Graph
from snnc.compiler.ir.ops import Conv2d, Linear
from snnc.compiler.ir.sparse import Sparse, sparse_tensor
from snnc.compiler.ir.spiking import Readout, SpikingLayer, Weighted

# All integers up to 2 ** 24 are float32 numbers.
EXACT_BITS = 24
# An input has two digits of so many bits and a sign; the first one reaches 2 ** 7 itself.
DIGIT_BITS = 7
# Weights have as many digits as it takes to come so near to the largest weight of their neuron, but no more than these.
WEIGHT_BITS, DIGITS_MAXIMUM = 12, 4
# Inputs of less than 2 ** -100 are nothing: what scales them up would overflow.
LEAST_EXPONENT = -100
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
        """Return the drive.

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
    """Return what computes the drive of each layer of a network, by the layer's name."""
    layers = graph.of_kind(SpikingLayer, Readout)
    return {each.name: ExactSums(each.op.synapses) for each in layers if isinstance(each.op, SpikingLayer | Readout)}


def _pieces(synapse: Weighted) -> list[tuple[Weighted, slice | None]]:
    """Return a synapse as several that read parts of the input, where it has too many inputs to be precise at once."""
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
    """Return integers and their grains, (neurons or channels,), which add up to a synapse's weights."""
    if isinstance(synapse, Sparse):
        left, starts = synapse.matrix.data.copy(), synapse.matrix.indptr.astype(np.int64)
    else:
        # A copy in any case: the digits are taken away from it.
        left = np.array(synapse.weight, np.float64, order="C").reshape(-1)
        starts = np.linspace(0, left.size, len(synapse.weight) + 1, dtype=np.int64)
    found: list[tuple[torch.Tensor, FloatArray]] = []
    enough = largest(left, starts) * 2.0**-WEIGHT_BITS
    while not found or (len(found) < DIGITS_MAXIMUM and (largest(left, starts) > enough).any()):
        whole, grain = np.empty(left.size, np.float32), np.empty(len(starts) - 1)
        take_digit(left, starts, EXACT_BITS - DIGIT_BITS, whole, grain)
        found.append((_as_weight(synapse, whole), grain))
    return found


def _as_weight(synapse: Weighted, whole: NDArray[np.float32]) -> torch.Tensor:
    if isinstance(synapse, Sparse):
        matrix = synapse.matrix.copy()
        matrix.data = whole
        return sparse_tensor(matrix, torch.empty(0))
    return torch.from_numpy(whole.reshape(synapse.weight.shape))


def _products(synapse: Weighted, digits: list[tuple[torch.Tensor, FloatArray]], values: torch.Tensor) -> torch.Tensor:
    """Return a synapse's output without its bias, (batch, *shape), float32."""
    batch = len(values)
    values = values if values.is_floating_point() else values.float()
    _, exponent = np.frexp(values.flatten(1).abs().amax(1).numpy())
    exponent = np.maximum(exponent, LEAST_EXPONENT)
    # Products with powers of two are exact, so that only the integers themselves are rounded.
    scale = torch.as_tensor(np.ldexp(1.0, 2 * DIGIT_BITS - exponent), dtype=values.dtype)
    whole = (values * per_channel(scale, values.ndim)).float().round_()
    # The first digits of all samples, and after them the second ones.
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
    """Return what 1 in a sum of products of digits stands for, shaped to be multiplied with the output."""
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
