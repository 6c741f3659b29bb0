"""A population of neurons over all its steps in one pass over memory, on a CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.just_in_time import compiled

Values = NDArray[np.floating[Any]]
# Neurons that are taken through all steps together: what they remember stays in the innermost cache.
CHUNK = 512


@compiled
def fire(drive: Values, threshold: Values, potential: Values, signed: bool, lead: int, sent: Values) -> int:
    """What neurons send, as :func:`snnc.compiler.float_simulation.neurons.spike_trains` defines it, times Vth.

    Args:
        drive: Input of every step, (T, samples, neurons), or (1, samples, neurons) where it is the same at every step.
        threshold: Vth of each neuron, (neurons,).
        potential: v before the first step, (neurons,).
        signed: Whether they may take spikes back (``snm``).
        lead: Steps that they integrate before they may fire.
        sent: (T, samples, neurons), written: Vth where a neuron fires, 0 where it does not, -Vth where it takes back.

    Returns:
        Number of spikes, of both signs.
    """
    steps, samples, neurons = sent.shape
    constant = len(drive) == 1
    voltage, memory, number = np.empty_like(threshold), np.empty_like(threshold), np.int64(0)
    zero, one = threshold.dtype.type(0), threshold.dtype.type(1)
    for sample in range(samples):
        for begin in range(0, neurons, CHUNK):
            end = min(begin + CHUNK, neurons)
            level = threshold[begin:end]
            v, received = voltage[begin:end], memory[begin:end]
            v[:] = potential[begin:end]
            received[:] = zero
            taken_back = np.int64(0)
            # Spikes leave ``lead`` steps after the input that they are due to; some input comes before the first.
            for step in range(min(lead, steps)):
                current = drive[0 if constant else step, sample, begin:end]
                for index in range(len(v)):
                    v[index] += current[index]
            for step in range(steps):
                arriving = one if step + lead < steps else zero
                current = drive[0 if constant else min(step + lead, steps - 1), sample, begin:end]
                output = sent[step, sample, begin:end]
                # One loop for each kind, so that both become vector instructions.
                if signed:
                    for index in range(len(v)):
                        after = v[index] + arriving * current[index]
                        spike = one if after >= level[index] else zero
                        back = one if (after <= -level[index]) & (received[index] > zero) else zero
                        received[index] += spike - back
                        taken_back += np.int64(back)
                        output[index] = (spike - back) * level[index]
                        v[index] = after - output[index]
                else:
                    for index in range(len(v)):
                        after = v[index] + arriving * current[index]
                        spike = one if after >= level[index] else zero
                        received[index] += spike
                        output[index] = spike * level[index]
                        v[index] = after - output[index]
            # What is left in the memories are the spikes sent less those taken back.
            for index in range(len(v)):
                number += np.int64(received[index])
            number += 2 * taken_back
    return int(number)
