"""What writer and reader agree on."""

from __future__ import annotations

from snnc.compiler.program import Layer

FORMAT_VERSION = 1
# Files of sigma-delta neurons, which snnc could not read at first.
SIGMA_DELTA_VERSION = 2

GROUP = "snnc"
LAYERS = "layer"

# Lava's LIF holds u and never lets it decay, and v is u (design.md 5); that of a memoryless layer forgets all of u.
CURRENT_DECAY = 0
FORGETTING_DECAY = 4096
VOLTAGE_DECAY = 4096
REFRACTORY_DELAY = 1
# The largest 17-bit threshold: the membrane wraps before it gets there, so the readout never fires.
READOUT_THRESHOLD = (1 << 17) - 1

# Lava keeps a convolution's groups in eight signed bits.
GROUPS_MAXIMUM = 127


def current_decay(layer: Layer) -> int:
    """What a layer's neurons lose of u in a step, in 4096ths, as netx writes it: Lava's du is one less."""
    return FORGETTING_DECAY if layer.memoryless else CURRENT_DECAY


def fired_above(layer: Layer) -> int:
    """The threshold of Lava, which fires above it and not, as the neuron of the paper does, from it on."""
    return layer.firing_level - 1 if layer.threshold else READOUT_THRESHOLD
