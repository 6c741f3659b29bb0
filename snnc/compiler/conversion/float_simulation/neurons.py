"""What a layer sends to the next, by the fastest way that the device has."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

from snnc.common.arrays import FloatingArray
from snnc.common.jit import compiled
from snnc.common.memory_order import layer_order, rows_in_memory

Neuron = Literal["if", "snm"]
NEURONS: tuple[Neuron, ...] = ("if", "snm")


def spike_trains(
    drive: torch.Tensor,
    threshold: torch.Tensor,
    potential: torch.Tensor,
    timesteps: int,
    neuron: Neuron = "if",
    lead: int = 0,
) -> torch.Tensor:
    """Return the spikes of a population over T steps, each neuron by itself.

    At every step ``v += I``. Then, with reset by subtraction (``v -= s Vth`` for a spike s):

    - ``if``, integrate and fire: ``s = 1`` where ``v >= Vth``, else 0.
    - ``snm``, signed neuron with memory (Wang, Zhang, Chen, Qu: "Signed neuron with memory: towards simple, accurate
      and high-efficient ANN-SNN conversion", IJCAI 2022): also ``s = -1`` where ``v <= -Vth`` and the sum of its spikes
      so far, its memory, is positive. So it takes back what it sent too early, and the sum never falls below 0.

    With lead k, input arrives in the first T of T + k steps, and spikes leave in the last T of them: what comes later
    in the window can no longer turn a spike into one too many.

    Args:
        drive: Input I of every step, bias included, (T, batch, *shape), or (1, batch, *shape) where it is the same at
            every step; in units of the activations.
        threshold: Vth, > 0, of a shape that broadcasts to (batch, *shape); in the same units.
        potential: v before the first step, likewise.
        timesteps: T, at least 1.
        neuron: The kind of neuron.
        lead: k, steps that a neuron integrates before it may fire, at least 0.

    Returns:
        (T, batch, *shape): 0 or 1, with ``snm`` also -1; in the precision of ``drive``.

    Raises:
        ValueError: The neuron is of another kind, T is below 1, or ``drive`` has neither 1 nor T steps.
    """
    check(drive, timesteps, neuron)
    trains = drive.new_empty((timesteps, *drive.shape[1:]))
    voltage = (drive.new_zeros(drive.shape[1:]) + potential).contiguous()
    memory = torch.zeros_like(voltage) if neuron == "snm" else None
    for step in range(timesteps + lead):
        if step < timesteps:
            voltage += drive[step if len(drive) > 1 else 0]
        if step < lead:
            continue
        spikes = trains[step - lead]
        torch.ge(voltage, threshold, out=spikes)
        if memory is not None:
            spikes -= ((voltage <= -threshold) & (memory > 0)).to(spikes.dtype)
            memory += spikes
        voltage.addcmul_(spikes, threshold, value=-1)
    return trains


def check(drive: torch.Tensor, timesteps: int, neuron: str) -> None:
    """Raise the ValueError of :func:`spike_trains` where its arguments do not fit."""
    if neuron not in NEURONS:
        raise ValueError(f"expected a neuron among {', '.join(NEURONS)}, found {neuron!r}")
    if timesteps < 1 or len(drive) not in (1, timesteps):
        raise ValueError(f"expected 1 or {timesteps} >= 1 steps of input, found {len(drive)}")


# Neurons that are taken through all steps together: what they remember stays in the innermost cache.
CHUNK = 512


@compiled
def fire(
    drive: FloatingArray,
    threshold: FloatingArray,
    potential: FloatingArray,
    signed: bool,
    lead: int,
    sent: FloatingArray,
) -> int:
    """Return what neurons send, as :func:`spike_trains` defines it, times Vth.

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


def send(
    drive: torch.Tensor,
    threshold: torch.Tensor,
    potential: torch.Tensor,
    timesteps: int,
    neuron: Neuron = "if",
    lead: int = 0,
) -> tuple[torch.Tensor, int]:
    """Return a population's spikes times its thresholds.

    Args:
        drive: As for :func:`spike_trains`, which says what the neurons do.
        threshold: Likewise.
        potential: Likewise.
        timesteps: T, at least 1.
        neuron: The kind of neuron.
        lead: Steps that a neuron integrates before it may fire.

    Returns:
        (T, batch, *shape), in units of the activations, and the number of spikes, of both signs.

    Raises:
        ValueError: As for :func:`spike_trains`.
    """
    if drive.device.type == "cpu" and drive.dtype in (torch.float32, torch.float64):
        return _send_fused(drive, threshold, potential, timesteps, neuron, lead)
    trains = spike_trains(drive, threshold, potential, timesteps, neuron, lead)
    return trains * threshold, int(torch.count_nonzero(trains))


def _send_fused(
    drive: torch.Tensor, threshold: torch.Tensor, potential: torch.Tensor, timesteps: int, neuron: Neuron, lead: int
) -> tuple[torch.Tensor, int]:
    check(drive, timesteps, neuron)
    steps, batch, *shape = drive.shape
    order = layer_order(tuple(shape))
    received = drive.flatten(0, 1).contiguous(memory_format=order)
    sent = torch.empty((timesteps * batch, *shape), dtype=drive.dtype, memory_format=order)
    level, start = (
        each.to(drive.dtype).expand(1, *shape).contiguous(memory_format=order) for each in (threshold, potential)
    )
    number = fire(
        rows_in_memory(received).reshape(steps, batch, -1),
        rows_in_memory(level)[0],
        rows_in_memory(start)[0],
        neuron == "snm",
        lead,
        rows_in_memory(sent).reshape(timesteps, batch, -1),
    )
    return sent.reshape(timesteps, batch, *shape), number
