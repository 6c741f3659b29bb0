"""How much one unit of a layer's integers stands for: the only freedom that netx leaves.

With the exponents fixed, a layer's messages are its sums divided by 64, so the weights' scale alone decides how long
messages get. Rectification keeps factors, so each channel has a unit of its own, which the next layer's weights take
back.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.program.sigma_delta import MESSAGE_LIMIT, STATE_LIMIT, UNIT
from snnc.compiler.sigma_delta.netx_weights import WEIGHT_MAXIMUM

FloatArray = NDArray[np.float64]

# Data beyond the calibration data may reach so many times further.
MARGIN = 2.0
# Channels that were never active on the calibration data get room for this share of what their drive came to.
DEAD_SHARE = 1 / 8


def message_caps(first: int, layers: int) -> tuple[float, ...]:
    """The longest message that each hidden layer is to send on the calibration data.

    Weights of eight bits make messages longer from layer to layer, and shorter messages round more coarsely. The caps
    grow by a constant factor from the input's messages to the longest that leave the margin, so that no layer has to
    make up for all others with coarse weights.

    Args:
        first: The longest message behind the input.
        layers: Number of hidden layers.
    """
    last = MESSAGE_LIMIT / MARGIN
    return tuple(first * (last / first) ** (index / layers) for index in range(1, layers + 1))


def hidden_units(
    weight: FloatArray, low: FloatArray, high: FloatArray, cap: float, coarser: float
) -> FloatArray:
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
    active = np.maximum(high, DEAD_SHARE * size)
    bound = np.maximum(active / (UNIT * cap), MARGIN * size / STATE_LIMIT)
    units = np.maximum(_largest(weight) / WEIGHT_MAXIMUM, bound) * coarser
    # A channel without weights and bias may have any.
    return np.where(units > 0, units, 1.0)


def readout_unit(weight: FloatArray, low: FloatArray, high: FloatArray, coarser: float) -> float:
    """The logit that one unit of sigma stands for, the same for all classes, so that sums can be compared.

    Args and errors are those of :func:`hidden_units`.
    """
    size = max(float(abs(low).max()), float(abs(high).max()))
    unit = max(float(_largest(weight).max()) / WEIGHT_MAXIMUM, MARGIN * size / STATE_LIMIT) * coarser
    return unit if unit > 0 else 1.0


def _largest(weight: FloatArray) -> FloatArray:
    largest: FloatArray = abs(weight).reshape(len(weight), -1).max(axis=1)
    return largest
