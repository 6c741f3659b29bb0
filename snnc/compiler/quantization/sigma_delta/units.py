"""How much one unit of a layer's integers stands for: the only freedom that netx leaves.

With the exponents fixed, a layer's messages are its sums divided by 64, so the weights' scale alone decides how long
messages get. Rectification keeps factors, so each channel has a unit of its own, which the next layer's weights take
back.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from snnc.common.arrays import FloatArray
from snnc.common.errors import TargetError, UnsupportedError
from snnc.compiler.ir import Conv2d
from snnc.compiler.quantization.sigma_delta.chain import ChainLayer
from snnc.program.messages import ACTIVATION_LIMIT, BIAS_UNIT, MESSAGE_LIMIT, STATE_LIMIT, UNIT, WEIGHT_MAXIMUM


def constant_place(layer: ChainLayer, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return an entry of a kernel that lies inside the image wherever the kernel is laid: the place of a bias.

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
    """Return the constant's bias, and the weights from it.

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


def kept_by_netx(weight: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return the weights of a dense layer, changed by one where netx and Lava would change them between them.

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


# The bias of a constant channel, in units of 2^12: its own message must not be too long.
CONSTANT_MAXIMUM = ACTIVATION_LIMIT // BIAS_UNIT - 1
# Data beyond the calibration data may reach so many times further.
MARGIN = 2.0
# Channels that were never active on the calibration data get room for this share of what their drive came to.
DEAD_SHARE = 1 / 8


def reach(low: FloatArray, high: FloatArray) -> FloatArray:
    """Return the activation that each channel has to hold without a margin.

    Args:
        low: Smallest drive on the calibration data, (channels,).
        high: Largest.
    """
    return np.maximum(high, DEAD_SHARE * np.maximum(abs(low), abs(high)))


def growth(weight: FloatArray, activation: FloatArray) -> float:
    """Return how many times longer than its source's a layer's messages get with weights of eight bits, in the median.

    Args:
        weight: Weights times the largest activation of the source's channels, (channels, ...).
        activation: The largest activation of each channel, (channels,).
    """
    largest = _largest(weight)
    channels = (largest > 0) & (activation > 0)
    if not channels.any():
        return 1.0
    return float(np.median(WEIGHT_MAXIMUM * activation[channels] / (UNIT * largest[channels])))


def message_caps(first: int, growths: Sequence[float]) -> tuple[float, ...]:
    """Return the longest message that each hidden layer is to send on the calibration data.

    Where weights of eight bits would make messages too long in the end, all layers' weights get coarser by the same
    factor.

    Args:
        first: The longest message after the input.
        growths: :func:`growth` of each hidden layer.
    """
    longest = MESSAGE_LIMIT / MARGIN
    lengths = first * np.cumprod(growths)
    # Of all layers the one that has to save most for each layer up to it.
    savings = (longest / lengths) ** (1 / np.arange(1, len(lengths) + 1))
    saving = min(1.0, float(savings.min()))
    return tuple((lengths * saving ** np.arange(1, len(lengths) + 1)).tolist())


def hidden_units(weight: FloatArray, low: FloatArray, high: FloatArray, cap: float, coarser: float) -> FloatArray:
    """Return the activation that one unit of sigma stands for, for each channel of a hidden layer.

    Args:
        weight: Weights times the units of the messages they meet, (channels, ...).
        low: Smallest drive on the calibration data, (channels,).
        high: Largest.
        cap: The longest message wanted.
        coarser: Factor that the calibration data demand, >= 1.

    Returns:
        (channels,), > 0.
    """
    size = np.maximum(abs(low), abs(high))
    bound = np.maximum(reach(low, high) / (UNIT * cap), MARGIN * size / STATE_LIMIT)
    units = np.maximum(_largest(weight) / WEIGHT_MAXIMUM, bound) * coarser
    # A channel without weights and bias may have any.
    return np.where(units > 0, units, 1.0)


def readout_unit(weight: FloatArray, bias: FloatArray, low: FloatArray, high: FloatArray, coarser: float) -> float:
    """Return the logit that one unit of sigma stands for, the same for all classes, so that sums can be compared.

    Args:
        weight: As for :func:`hidden_units`, and so on.
        bias: Biases, (channels,), which have to come through the weights from a constant channel.
        low: Smallest drive on the calibration data, (channels,).
        high: Largest.
        coarser: Factor that the calibration data demand, >= 1.
    """
    size = max(float(abs(low).max()), float(abs(high).max()))
    largest_bias = MARGIN * float(abs(bias).max()) / (WEIGHT_MAXIMUM * CONSTANT_MAXIMUM * UNIT)
    unit = max(float(_largest(weight).max()) / WEIGHT_MAXIMUM, MARGIN * size / STATE_LIMIT, largest_bias) * coarser
    return unit if unit > 0 else 1.0


def _largest(weight: FloatArray) -> FloatArray:
    largest: FloatArray = abs(weight).reshape(len(weight), -1).max(axis=1)
    return largest
