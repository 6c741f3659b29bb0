"""What a layer sends to the next, by the fastest way that the device has."""

from __future__ import annotations

import torch

from snnc.compiler.float_simulation import fused
from snnc.compiler.float_simulation.neurons import Neuron, check, spike_trains
from snnc.compiler.program.memory_order import layer_order, rows_in_memory


def send(
    drive: torch.Tensor,
    threshold: torch.Tensor,
    potential: torch.Tensor,
    timesteps: int,
    neuron: Neuron = "if",
    lead: int = 0,
) -> tuple[torch.Tensor, int]:
    """A population's spikes times its thresholds.

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
    number = fused.fire(
        rows_in_memory(received).reshape(steps, batch, -1),
        rows_in_memory(level)[0],
        rows_in_memory(start)[0],
        neuron == "snm",
        lead,
        rows_in_memory(sent).reshape(timesteps, batch, -1),
    )
    return sent.reshape(timesteps, batch, *shape), number
