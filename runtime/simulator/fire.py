"""A population over all its steps in one pass over memory, on a CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.just_in_time import compiled

Values = NDArray[np.floating[Any]]
# Neurons that are taken through all steps together: their potentials stay in the innermost cache.
CHUNK = 512


@compiled
def fire(
    drive: Values,
    bias: Values,
    firing_level: float,
    threshold: float,
    memoryless: bool,
    spikes: Values,
    potential: Values,
    counts: NDArray[np.int64],
) -> None:
    """Integrates, fires and resets, as :class:`snnc.compiler.program.Layer` says; all values are whole numbers.

    Args:
        drive: Synaptic input of every step, (T, samples, neurons), or (1, samples, neurons) where it never changes.
        bias: Added at every step, (neurons,).
        firing_level: The potential from which on a neuron fires, in weight units.
        threshold: What a spike takes off the potential, in weight units.
        memoryless: Whether each step starts from 0.
        spikes: (T, samples, neurons), written: 1 where a neuron fires, else 0.
        potential: (samples, neurons), written: the potential after the last step, in weight units.
        counts: (neurons,), added to: the spikes of each neuron.
    """
    steps, samples, neurons = spikes.shape
    constant = len(drive) == 1
    zero, one = potential.dtype.type(0), potential.dtype.type(1)
    level, taken = potential.dtype.type(firing_level), potential.dtype.type(threshold)
    kept = zero if memoryless else one
    for sample in range(samples):
        for begin in range(0, neurons, CHUNK):
            end = min(begin + CHUNK, neurons)
            voltage, added, count = potential[sample, begin:end], bias[begin:end], counts[begin:end]
            voltage[:] = zero
            for step in range(steps):
                current = drive[0 if constant else step, sample, begin:end]
                sent = spikes[step, sample, begin:end]
                for index in range(len(voltage)):
                    before = voltage[index] + (current[index] + added[index])
                    spike = one if before >= level else zero
                    sent[index] = spike
                    voltage[index] = kept * (before - spike * taken)
                for index in range(len(voltage)):
                    count[index] += np.int64(sent[index])


@compiled
def fire_and_watch(
    drive: Values,
    bias: Values,
    firing_level: float,
    threshold: float,
    memoryless: bool,
    spikes: Values,
    potential: Values,
    counts: NDArray[np.int64],
    limit: float,
) -> tuple[int, float, float]:
    """As :func:`fire`, for populations whose potential may leave the chip's range: it then wraps around.

    Args:
        drive: As for :func:`fire`.
        bias: As for :func:`fire`.
        firing_level: As for :func:`fire`.
        threshold: As for :func:`fire`.
        memoryless: As for :func:`fire`.
        spikes: As for :func:`fire`.
        potential: As for :func:`fire`.
        counts: As for :func:`fire`.
        limit: First magnitude that the potential must not reach, in weight units.

    Returns:
        How often a potential left the range, and the lowest and highest one before resets, 0 included.
    """
    steps, samples, neurons = spikes.shape
    constant = len(drive) == 1
    zero, one = potential.dtype.type(0), potential.dtype.type(1)
    level, taken, bound = (
        potential.dtype.type(firing_level),
        potential.dtype.type(threshold),
        potential.dtype.type(limit),
    )
    kept = zero if memoryless else one
    wraps, low, high = 0, zero, zero
    for sample in range(samples):
        for begin in range(0, neurons, CHUNK):
            end = min(begin + CHUNK, neurons)
            voltage, added, count = potential[sample, begin:end], bias[begin:end], counts[begin:end]
            voltage[:] = zero
            for step in range(steps):
                current = drive[0 if constant else step, sample, begin:end]
                sent = spikes[step, sample, begin:end]
                lowest, highest = zero, zero
                for index in range(len(voltage)):
                    before = voltage[index] + (current[index] + added[index])
                    voltage[index] = before
                    lowest, highest = min(lowest, before), max(highest, before)
                low, high = min(low, lowest), max(high, highest)
                if lowest <= -bound or highest >= bound:
                    for index in range(len(voltage)):
                        before = voltage[index]
                        if before <= -bound or before >= bound:
                            wraps += 1
                        # As 24 bits hold it (lava/proc/lif/models.py, subthr_dynamics).
                        if before > bound:
                            before -= 2 * bound
                        if before <= -bound:
                            before += 2 * bound
                        voltage[index] = before
                for index in range(len(voltage)):
                    spike = one if voltage[index] >= level else zero
                    sent[index] = spike
                    voltage[index] = kept * (voltage[index] - spike * taken)
                for index in range(len(voltage)):
                    count[index] += np.int64(sent[index])
    return wraps, float(low), float(high)
