"""The channel of constants through which a layer gives the next one its biases.

netx gives SigmaDelta neurons biases in steps of 2^12 units of sigma, which is coarse, and its Sigma neurons none. A
channel without weights and with a bias of b sends 64 b once and never changes; a weight from it is a bias in steps of
64 b.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.ir import Conv2d
from snnc.compiler.program.sigma_delta import UNIT
from snnc.compiler.sigma_delta.chain import ChainLayer
from snnc.compiler.sigma_delta.netx_weights import WEIGHT_MAXIMUM
from snnc.compiler.sigma_delta.units import CONSTANT_MAXIMUM
from snnc.errors import TargetError, UnsupportedError

FloatArray = NDArray[np.float64]


def constant_place(layer: ChainLayer, shape: tuple[int, ...]) -> tuple[int, ...]:
    """An entry of a kernel that lies inside the image wherever the kernel is laid: the place of a bias.

    Args:
        layer: The layer.
        shape: Shape of what it reads.

    Returns:
        (row, column) of a convolution's kernel; nothing for a dense layer, which has one weight from the constant.

    Raises:
        UnsupportedError: There is none.
    """
    if layer.convolution is None:
        return ()
    return tuple(_inside(layer, axis, shape[axis + 1]) for axis in range(2))


def _inside(layer: ChainLayer, axis: int, size: int) -> int:
    op = layer.convolution
    assert isinstance(op, Conv2d)
    last = (layer.node.shape[axis + 1] - 1) * op.stride[axis]
    entries = [
        entry
        for entry in range(layer.weight.shape[axis + 2])
        if entry * op.dilation[axis] - op.padding[axis] >= 0
        and last + entry * op.dilation[axis] - op.padding[axis] < size
    ]
    if not entries:
        raise UnsupportedError(
            "its padding is so wide that no entry of the kernel always lies inside the image, where its bias could go",
            where=layer.node.where,
            advice="pad by less than the kernel reaches, or compile with --neuron if",
        )
    return entries[len(entries) // 2]


def constant_weights(
    layer: ChainLayer, shape: tuple[int, ...], kernel: FloatArray, rest: FloatArray
) -> tuple[int, NDArray[np.int16]]:
    """The constant's bias, and the weights from it.

    Args:
        layer: The layer that reads it.
        shape: Shape of what the layer reads.
        kernel: What the constant is to add at each entry of the kernel, in units of sigma, (out, height, width), or
            (out,) for a dense layer.
        rest: What it is to add besides, wherever the kernel is laid, (out,).

    Returns:
        The bias, in units of 2^12, and the weights, of the shape of ``kernel``. Over all entries they are right to half
        a step, since what the other entries round is made up for at the entry of the bias.

    Raises:
        TargetError: The biases are too large for the weights.
        UnsupportedError: The kernel has no entry for the bias.
    """
    place: tuple[slice | int, ...] = (slice(None), *constant_place(layer, shape))
    wanted = kernel.copy()
    wanted[place] += rest
    bias = 1
    while True:
        step = UNIT * bias
        weights = np.rint(wanted / step)
        axes = tuple(range(1, wanted.ndim))
        weights[place] += np.rint((wanted.sum(axes) - step * weights.sum(axes)) / step)
        largest = abs(weights).max(initial=0)
        if largest <= WEIGHT_MAXIMUM:
            return bias, weights.astype(np.int16)
        bias = max(bias + 1, int(bias * largest) // (WEIGHT_MAXIMUM + 1))
        if bias > CONSTANT_MAXIMUM:
            raise TargetError(
                "its biases are too large beside its weights for 8-bit weights",
                where=layer.node.where,
                advice="compile with --neuron if",
            )
