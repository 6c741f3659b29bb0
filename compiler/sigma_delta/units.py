"""How much one unit of a layer's integers stands for: the only freedom that netx leaves.

With the exponents fixed, a layer's messages are its sums divided by 64, so the weights' scale alone decides how long
messages get. Rectification keeps factors, so each channel has a unit of its own, which the next layer's weights take
back.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.program.sigma_delta import ACTIVATION_LIMIT, BIAS_UNIT, MESSAGE_LIMIT, STATE_LIMIT, UNIT
from snnc.compiler.sigma_delta.netx_weights import WEIGHT_MAXIMUM

FloatArray = NDArray[np.float64]

# The bias of a constant channel, in units of 2^12: its own message must not be too long.
CONSTANT_MAXIMUM = ACTIVATION_LIMIT // BIAS_UNIT - 1
# Data beyond the calibration data may reach so many times further.
MARGIN = 2.0
# Channels that were never active on the calibration data get room for this share of what their drive came to.
DEAD_SHARE = 1 / 8


def reach(low: FloatArray, high: FloatArray) -> FloatArray:
    """The activation that each channel has to hold without a margin.

    Args:
        low: Smallest drive on the calibration data, (channels,).
        high: Largest.
    """
    return np.maximum(high, DEAD_SHARE * np.maximum(abs(low), abs(high)))


def growth(weight: FloatArray, activation: FloatArray) -> float:
    """How many times longer than its source's a layer's messages get with weights of eight bits, in the median.

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
    """The longest message that each hidden layer is to send on the calibration data.

    Where weights of eight bits would make messages too long in the end, all layers' weights get coarser by the same
    factor.

    Args:
        first: The longest message behind the input.
        growths: :func:`growth` of each hidden layer.
    """
    longest = MESSAGE_LIMIT / MARGIN
    lengths = first * np.cumprod(growths)
    # Of all layers the one that has to save most for each layer up to it.
    savings = (longest / lengths) ** (1 / np.arange(1, len(lengths) + 1))
    saving = min(1.0, float(savings.min()))
    return tuple((lengths * saving ** np.arange(1, len(lengths) + 1)).tolist())


def hidden_units(weight: FloatArray, low: FloatArray, high: FloatArray, cap: float, coarser: float) -> FloatArray:
    """The activation that one unit of sigma stands for, for each channel of a hidden layer.

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
    """The logit that one unit of sigma stands for, the same for all classes, so that sums can be compared.

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
