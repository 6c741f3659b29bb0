"""The neurons of a program as netx describes them and Lava's LIF computes them."""

from __future__ import annotations

from snnc.program.layer import Layer
from snnc.program.targets import Target

# Lava's LIF holds u and never lets it decay, and v is u; that of a memoryless layer forgets all of u.
CURRENT_DECAY = 0
FORGETTING_DECAY = 4096
VOLTAGE_DECAY = 4096
REFRACTORY_DELAY = 1


def current_decay(layer: Layer) -> int:
    """Return what a layer's neurons lose of u in a step, in 4096ths, as netx writes it: Lava's du is one less."""
    return FORGETTING_DECAY if layer.memoryless else CURRENT_DECAY


def fired_above(layer: Layer, target: Target) -> int:
    """Return the threshold of Lava, which fires above it and not, as the neuron of the paper does, from it on.

    Args:
        layer: The layer. A readout never fires: the membrane wraps before it gets to the chip's largest threshold.
        target: The chip.
    """
    return layer.firing_level - 1 if layer.threshold else target.threshold_maximum
