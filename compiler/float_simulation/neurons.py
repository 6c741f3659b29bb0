"""What a population of neurons sends for what it receives."""

from __future__ import annotations

from typing import Literal

import torch

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
    """Spikes of a population over T steps, each neuron by itself.

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
    """Raises the ValueError of :func:`spike_trains` where its arguments do not fit."""
    if neuron not in NEURONS:
        raise ValueError(f"expected a neuron among {', '.join(NEURONS)}, found {neuron!r}")
    if timesteps < 1 or len(drive) not in (1, timesteps):
        raise ValueError(f"expected 1 or {timesteps} >= 1 steps of input, found {len(drive)}")
