"""What sigma-delta neurons can hold and send, whatever the input, by interval arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.compiler.program.coding import InputCoding
from snnc.compiler.program.sigma_delta import (
    ACTIVATION_LIMIT,
    SPIKE_EXPONENT,
    STATE_LIMIT,
    UNIT,
    SigmaDeltaLayer,
)
from snnc.compiler.program.synaptic_input import SynapticInput

IntegerArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SigmaDeltaBounds:
    """Bounds of one layer over a sample.

    Attributes:
        low: The least sigma plus bias, of the layer's shape.
        high: The largest.
        sigma: The largest size of sigma alone, without the bias, of the layer's shape.
        size: The largest sum of the sizes of what arrives in one step, weight times message, of the layer's shape.
        sends: Whether the layer sends messages.
    """

    low: IntegerArray
    high: IntegerArray
    sigma: IntegerArray
    size: IntegerArray
    sends: bool

    @property
    def within(self) -> bool:
        """Whether nothing can leave the range in which all backends compute exactly."""
        return (
            bool((self.size < STATE_LIMIT).all() and (self.sigma < STATE_LIMIT).all())
            and self.low.min(initial=0) > -STATE_LIMIT
            and self.high.max(initial=0) < (ACTIVATION_LIMIT if self.sends else STATE_LIMIT)
        )


def sigma_delta_bounds(coding: InputCoding, layers: tuple[SigmaDeltaLayer, ...]) -> tuple[SigmaDeltaBounds, ...]:
    """The bounds of all layers of a chain.

    A neuron of layer i sends at most i + 2 messages in a sample: one in each step from 0 to i + 1. Their sum is its
    activation divided by 64, less one for each message, which is rounded down, and what is held back.

    Args:
        coding: What the input is.
        layers: The layers.
    """
    return tuple(_bounds(coding, layers))


def _bounds(coding: InputCoding, layers: tuple[SigmaDeltaLayer, ...]) -> Iterator[SigmaDeltaBounds]:
    low = np.zeros(coding.shape)
    high = np.full(coding.shape, float(coding.highest << SPIKE_EXPONENT))
    for index, layer in enumerate(layers):
        shape = coding.shape if index == 0 else layers[index - 1].shape
        weight = layer.synapse.weight
        excited, inhibited, any_sign = (
            partial(_through, layer, shape, part) for part in (weight.clip(min=0), weight.clip(max=0), abs(weight))
        )
        least, most = excited(low) + inhibited(high), excited(high) + inhibited(low)
        found = SigmaDeltaBounds(
            low=_whole(least + layer.offset),
            high=_whole(most + layer.offset),
            sigma=_whole(np.maximum(most, -least)),
            size=_whole(any_sign(np.maximum(high, -low))),
            sends=layer.delta_threshold is not None,
        )
        yield found
        # Biases come before the input, so that a neuron may have sent its bias, or any value on the way.
        reached = np.maximum(np.maximum(found.high, layer.offset), 0) / UNIT
        slack = index + 2 + layer.held_back / UNIT
        low, high = np.full(layer.shape, -slack), reached + slack


def _through(
    layer: SigmaDeltaLayer, shape: tuple[int, ...], weight: NDArray[np.signedinteger[Any]], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What values bring through some of a layer's weights."""
    drive = SynapticInput(layer.synapse, shape, layer.shape, dtype=torch.float64, weight=weight)
    found: NDArray[np.float64] = drive(torch.as_tensor(values)[None])[0].numpy()
    return found


def _whole(values: NDArray[np.float64]) -> IntegerArray:
    # The bounds of deep networks leave the integers, far beyond every limit.
    whole: IntegerArray = np.rint(values.clip(-(2.0**60), 2.0**60)).astype(np.int64)
    return whole
