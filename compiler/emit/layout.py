"""What writer and reader agree on."""

from __future__ import annotations

FORMAT_VERSION = 1

GROUP = "snnc"
LAYERS = "layer"

# Lava's LIF holds u and never lets it decay, and v is u (design.md 5).
CURRENT_DECAY = 0
VOLTAGE_DECAY = 4096
REFRACTORY_DELAY = 1
# The largest 17-bit threshold: the membrane wraps before it gets there, so the readout never fires.
READOUT_THRESHOLD = (1 << 17) - 1

# Lava keeps a convolution's groups in eight signed bits.
GROUPS_MAXIMUM = 127
