"""One step of Loihi's leaky integrate-and-fire neurons."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snnc.just_in_time import compiled

# Loihi aligns synaptic input with its membranes of 24 bits.
INPUT_SHIFT = 6
DECAY_SHIFT = 12
LIMIT = 1 << 23


@compiled
def integrate(
    activation: NDArray[np.int32],
    current: NDArray[np.int32],
    voltage: NDArray[np.int32],
    bias: NDArray[np.int32],
    current_kept: int,
    voltage_kept: int,
    threshold: int,
    fired: NDArray[np.bool_],
) -> None:
    """What ``lava.proc.lif.models.AbstractPyLifModelFixed`` does in a step, wraps of 24 and of 32 bits included.

    Args:
        activation: What arrived, (neurons,), weight units.
        current: u, (neurons,), written.
        voltage: v, (neurons,), written.
        bias: What is added to v, (neurons,).
        current_kept: The share of u that stays, in 1/4096.
        voltage_kept: The share of v that stays, in 1/4096.
        threshold: v fires above it.
        fired: The spikes, (neurons,), written.
    """
    for index in range(len(current)):
        # Decays round towards 0, as numpy's sign(x) * (abs(x) >> 12) does.
        kept = np.int64(current[index]) * current_kept
        kept = kept >> DECAY_SHIFT if kept >= 0 else -(-kept >> DECAY_SHIFT)
        summed = np.int32(np.int32(kept) + np.int32(np.int64(activation[index]) << INPUT_SHIFT))
        if summed > LIMIT:
            wrapped = np.int32(summed - 2 * LIMIT)
        elif summed <= -LIMIT:
            wrapped = np.int32(summed + 2 * LIMIT)
        else:
            wrapped = summed
        current[index] = wrapped
        kept = np.int64(voltage[index]) * voltage_kept
        kept = kept >> DECAY_SHIFT if kept >= 0 else -(-kept >> DECAY_SHIFT)
        raised = np.int32(np.int64(np.int32(kept)) + wrapped + bias[index])
        raised = min(max(raised, np.int32(1 - LIMIT)), np.int32(LIMIT - 1))
        fires = raised > threshold
        fired[index] = fires
        voltage[index] = 0 if fires else raised
