"""Loihi's leaky integrate-and-fire neurons in integers, as Lava computes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snnc.common.jit import compiled

# Loihi aligns synaptic input, biases and thresholds with its membranes of 24 bits. Written out, and not read from the
# chip's description: compiled functions are kept by this file's date, with the numbers that they were compiled with.
INPUT_SHIFT = 6
DECAY_SHIFT = 12
DECAY_UNITY = 1 << DECAY_SHIFT
LIMIT = 1 << 23


@compiled
def update(
    current: np.int32, voltage: np.int32, activation: np.int32, bias: np.int32, current_kept: int, voltage_kept: int
) -> tuple[np.int32, np.int32, bool, bool]:
    """Update a neuron by a step, before it may fire (``AbstractPyLifModelFixed.subthr_dynamics`` of lava.proc.lif).

    Args:
        current: u before.
        voltage: v before.
        activation: What arrived, in weight units.
        bias: What is added to v.
        current_kept: The share of u that stays, in 1/4096.
        voltage_kept: The share of v that stays, in 1/4096.

    Returns:
        u and v after, whether u wrapped around at 24 (or 32) bits, and whether v was kept within its limits.
    """
    # Decays round towards 0, as numpy's sign(x) * (abs(x) >> 12) does.
    kept = np.int64(current) * current_kept
    kept = kept >> DECAY_SHIFT if kept >= 0 else -(-kept >> DECAY_SHIFT)
    exact = np.int64(np.int32(kept)) + (np.int64(activation) << INPUT_SHIFT)
    summed = np.int32(np.int32(kept) + np.int32(np.int64(activation) << INPUT_SHIFT))
    if summed > LIMIT:
        wrapped = np.int32(summed - 2 * LIMIT)
    elif summed <= -LIMIT:
        wrapped = np.int32(summed + 2 * LIMIT)
    else:
        wrapped = summed
    kept = np.int64(voltage) * voltage_kept
    kept = kept >> DECAY_SHIFT if kept >= 0 else -(-kept >> DECAY_SHIFT)
    sought = np.int32(np.int64(np.int32(kept)) + wrapped + bias)
    raised = np.int32(min(max(sought, np.int32(1 - LIMIT)), np.int32(LIMIT - 1)))
    return wrapped, raised, exact != wrapped, sought != raised


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
    """Do what ``lava.proc.lif.models.AbstractPyLifModelFixed`` does in a step, wraps of 24 and 32 bits included.

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
        wrapped, raised, _, _ = update(
            current[index], voltage[index], activation[index], bias[index], current_kept, voltage_kept
        )
        current[index] = wrapped
        fires = raised > threshold
        fired[index] = fires
        voltage[index] = 0 if fires else raised


@compiled
def integrate_steps(
    activation: NDArray[np.int32],
    current: NDArray[np.int32],
    voltage: NDArray[np.int32],
    bias: NDArray[np.int32],
    resets: NDArray[np.bool_],
    current_kept: int,
    voltage_kept: int,
    threshold: int,
    fired: NDArray[np.bool_],
    counts: NDArray[np.int32],
    counted: int,
) -> tuple[int, int]:
    """Do several steps of :func:`integrate`, with the resets of Lava's LIFReset.

    Args:
        activation: What arrived, (steps, neurons), weight units; of what repeats itself one period is enough.
        current: u, (neurons,), written.
        voltage: v, (neurons,), written.
        bias: What is added to v, (steps, neurons), or one period of it.
        resets: Whether u and v are cleared before a step, (steps,).
        current_kept: The share of u that stays, in 1/4096.
        voltage_kept: The share of v that stays, in 1/4096.
        threshold: v fires above it.
        fired: The spikes, (steps, neurons), written.
        counts: Spikes of each neuron, (neurons,), added to.
        counted: The first step whose spikes are counted.

    Returns:
        How often a u wrapped around, and a v was kept within its limits.
    """
    wraps, clips = 0, 0
    for step in range(len(resets)):
        if resets[step]:
            current[:] = 0
            voltage[:] = 0
        arriving, added = activation[step % len(activation)], bias[step % len(bias)]
        for index in range(len(current)):
            wrapped, raised, has_wrapped, is_clipped = update(
                current[index], voltage[index], arriving[index], added[index], current_kept, voltage_kept
            )
            wraps += has_wrapped
            clips += is_clipped
            current[index] = wrapped
            fires = raised > threshold
            fired[step, index] = fires
            counts[index] += fires and step >= counted
            voltage[index] = 0 if fires else raised
    return wraps, clips
