"""The numbers of sigma-delta neurons: the widths and exponents of Lava's processes, which netx fixes.

They are those of ``lava/proc/sdn/models.py`` (the fixed-point models) and of ``lava/lib/dl/netx/hdf5.py``. No chip
changes them: one whose registers are narrower cannot run such a network (:func:`holds_messages`). Nothing but numbers
is imported here, so that options can be checked before anything large is loaded.
"""

from __future__ import annotations

from snnc.program.targets.target import Target

# What netx sets, whatever the file says.
STATE_EXPONENT = 6
SPIKE_EXPONENT = 6
# What one unit of a message is, in units of sigma.
UNIT = 1 << STATE_EXPONENT
# What one unit of a bias, of a threshold and of the input's level is, in units of sigma.
BIAS_UNIT = 1 << (STATE_EXPONENT + SPIKE_EXPONENT)
# netx declares messages of 16 bits, signed, and reads no other number out of a file.
MESSAGE_BITS = 16
MESSAGE_LIMIT = 1 << (MESSAGE_BITS - 1)
# First activation whose message would be too long.
ACTIVATION_LIMIT = MESSAGE_LIMIT << STATE_EXPONENT
# The largest delta threshold that an activation can still reach.
DELTA_THRESHOLD_MAXIMUM = ACTIVATION_LIMIT // BIAS_UNIT - 1
# netx scales weights of a sign each to eight bits; those that fit them already stay as they are.
WEIGHT_BITS = 8
WEIGHT_MAXIMUM = (1 << (WEIGHT_BITS - 1)) - 1
# sigma and what arrives in a step: 24 bits, signed (Lava's Conv clamps to as many).
STATE_BITS = 24
STATE_LIMIT = 1 << (STATE_BITS - 1)
# The largest bias that sigma can hold.
BIAS_MAXIMUM = STATE_LIMIT // BIAS_UNIT
# Lava's Conv adds up in single precision, which is exact below this sum of sizes.
EXACT_LIMIT = 1 << 24


def holds_messages(target: Target) -> bool:
    """Return whether a chip's spikes, states and weights are as wide as those of Lava's sigma-delta processes."""
    return target.graded_bits >= MESSAGE_BITS and target.state_bits >= STATE_BITS and target.weight_bits >= WEIGHT_BITS
