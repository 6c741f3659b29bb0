"""A population over all its steps in one pass over memory, on a CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.common.arrays import FloatingArray
from snnc.common.jit import compiled

# Neurons that are taken through all steps together: what they remember stays in the innermost cache.
BLOCK = 512
# Lava adds up in 32 bits what then has to fit into 24: numbers that many times as far apart as the limit are the same.
REGISTER = 2 * 2**8


@compiled
def fire(
    drive: FloatingArray,
    bias: FloatingArray,
    firing_level: float,
    threshold: float,
    memoryless: bool,
    gate: float,
    limit: float,
    silent: int,
    arriving: int,
    spikes: NDArray[np.uint8],
    potential: FloatingArray,
    counts: NDArray[np.int64],
) -> tuple[int, float, float]:
    """Integrate, fire and reset, as :class:`snnc.program.Layer` says; all values are whole numbers.

    Potentials are watched as they pass: whoever wants to know their range need not run again. A block of neurons of
    which one leaves the chip's range, or which the gate cannot hold closed, is computed once more, as the chip does it
    then (:func:`wrap_and_fire`).

    Args:
        drive: Synaptic input of those steps in which it arrives, (steps, samples, neurons), at least one; where it
            repeats itself, one period of it.
        bias: Added at each of these steps, (neurons,).
        firing_level: The potential from which on a neuron fires, in weight units.
        threshold: What a spike takes off the potential, in weight units.
        memoryless: Whether each step starts from 0.
        gate: What holds a neuron closed in silent steps, in weight units.
        limit: First magnitude that the potential must not reach, in weight units.
        silent: Steps in which no neuron may fire yet (:class:`snnc.runtime.simulator.steps.Span`); they come first, and
            bring input.
        arriving: Steps in which input arrives; those after them bring none.
        spikes: (steps after the silent ones, samples, neurons), written: 1 where a neuron fires, else 0.
        potential: (samples, neurons): before the first step, in weight units; written: after the last one.
        counts: (neurons,), added to: the spikes of each neuron.

    Returns:
        How often a potential left the range or a closed neuron was none, and the lowest and highest potential before
        resets, without the gate's pulse, 0 included.
    """
    sending, samples, neurons = spikes.shape
    zero, one = potential.dtype.type(0), potential.dtype.type(1)
    level, taken = potential.dtype.type(firing_level), potential.dtype.type(threshold)
    pulse = potential.dtype.type(gate)
    kept = zero if memoryless else one
    nothing = np.zeros(BLOCK, potential.dtype)
    # All of one width, so that the loop over them becomes vector instructions.
    start, tally = np.empty(BLOCK, potential.dtype), np.empty(BLOCK, potential.dtype)
    lowest, highest = np.empty(BLOCK, potential.dtype), np.empty(BLOCK, potential.dtype)
    wraps, low, high = 0, zero, zero
    for sample in range(samples):
        for begin in range(0, neurons, BLOCK):
            end = min(begin + BLOCK, neurons)
            voltage, added = potential[sample, begin:end], bias[begin:end]
            start[: end - begin] = voltage
            tally[:], lowest[:], highest[:] = zero, zero, zero
            for step in range(silent):
                current = drive[step % len(drive), sample, begin:end]
                for index in range(len(voltage)):
                    before = voltage[index] + (current[index] + added[index])
                    lowest[index] = before if before < lowest[index] else lowest[index]
                    highest[index] = before if before > highest[index] else highest[index]
                    voltage[index] = before
            opened = silent > 0 and (lowest.min() - pulse <= -limit or highest.max() - pulse >= level)
            for late in range(sending):
                step = silent + late
                current, more = nothing[: end - begin], nothing[: end - begin]
                if step < arriving:
                    current, more = drive[step % len(drive), sample, begin:end], added
                sent = spikes[late, sample, begin:end]
                for index in range(len(voltage)):
                    before = voltage[index] + (current[index] + more[index])
                    lowest[index] = before if before < lowest[index] else lowest[index]
                    highest[index] = before if before > highest[index] else highest[index]
                    spike = one if before >= level else zero
                    sent[index] = np.uint8(spike)
                    tally[index] += spike
                    voltage[index] = kept * (before - spike * taken)
            extremes(lowest, highest)
            if opened or lowest[0] <= -limit or highest[0] >= limit:
                voltage[:] = start[: end - begin]
                lowest[:], highest[:] = zero, zero
                wraps += wrap_and_fire(
                    drive[:, sample, begin:end],
                    added,
                    level,
                    taken,
                    kept,
                    pulse,
                    potential.dtype.type(limit),
                    silent,
                    arriving,
                    spikes[:, sample, begin:end],
                    voltage,
                    tally,
                    lowest,
                    highest,
                )
                extremes(lowest, highest)
            low, high = min(low, lowest[0]), max(high, highest[0])
            for index in range(len(voltage)):
                counts[begin + index] += np.int64(tally[index])
    return wraps, float(low), float(high)


@compiled
def extremes(lowest: FloatingArray, highest: FloatingArray) -> None:
    """Bring the lowest and the highest of BLOCK values to the front, by halves, which become vector instructions."""
    half = BLOCK // 2
    while half:
        for index in range(half):
            low, high = lowest[index + half], highest[index + half]
            lowest[index] = low if low < lowest[index] else lowest[index]
            highest[index] = high if high > highest[index] else highest[index]
        half //= 2


@compiled
def wrap_and_fire(
    drive: FloatingArray,
    bias: FloatingArray,
    level: np.floating[Any],
    taken: np.floating[Any],
    kept: np.floating[Any],
    pulse: np.floating[Any],
    limit: np.floating[Any],
    silent: int,
    arriving: int,
    spikes: NDArray[np.uint8],
    voltage: FloatingArray,
    tally: FloatingArray,
    lowest: FloatingArray,
    highest: FloatingArray,
) -> int:
    """Run a block of one sample's neurons of which one wraps around, or fires while it is closed; slow, and rare.

    Args are those of :func:`fire`, for the block; ``tally``, ``lowest`` and ``highest`` are what it keeps for each
    neuron, written anew.

    Returns:
        How often a potential left the range, or a neuron would have fired, or wrapped, under the gate's pulse.
    """
    wraps = 0
    register = REGISTER * limit
    for index in range(len(voltage)):
        tally[index], lowest[index], highest[index] = 0, 0, 0
        for step in range(silent + len(spikes)):
            before = voltage[index]
            if step < arriving:
                before += drive[step % len(drive), index] + bias[index]
            lowest[index], highest[index] = min(lowest[index], before), max(highest[index], before)
            if before <= -limit or before >= limit:
                wraps += 1
            # As 32 bits hold it on the way into 24 (lava/proc/lif/models.py, subthr_dynamics).
            before -= register * np.floor((before + register / 2) / register)
            if before > limit:
                before -= 2 * limit
            if before <= -limit:
                before += 2 * limit
            if step < silent:
                if before - pulse >= level or before - pulse <= -limit:
                    wraps += 1
                voltage[index] = before
                continue
            spikes[step - silent, index] = before >= level
            tally[index] += spikes[step - silent, index]
            voltage[index] = kept * (before - spikes[step - silent, index] * taken)
    return wraps
