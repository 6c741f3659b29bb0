"""A population over all its steps, and back, in one pass over memory each, on a CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.just_in_time import compiled

Values = NDArray[np.floating[Any]]


@compiled
def fire_forward(
    drive: Values, threshold: Values, potential: Values, lead: int, sent: Values, potentials: Values
) -> None:
    """What :func:`snnc.models.spiking.neuron.fire` defines.

    Args:
        drive: (T or 1, rows, channels); a row is what one place of one sample has.
        threshold: (channels,).
        potential: (channels,).
        lead: Steps before the first spike.
        sent: (T, rows, channels), written: what is sent.
        potentials: (T, rows, channels), written: v before each reset.
    """
    steps, rows, channels = sent.shape
    constant = len(drive) == 1
    voltage = np.empty_like(threshold)
    zero = threshold.dtype.type(0)
    for row in range(rows):
        voltage[:] = potential
        for step in range(min(lead, steps)):
            current = drive[0 if constant else step, row]
            for channel in range(channels):
                voltage[channel] += current[channel]
        for step in range(steps):
            arriving = threshold.dtype.type(1) if step + lead < steps else zero
            current = drive[0 if constant else min(step + lead, steps - 1), row]
            output, kept = sent[step, row], potentials[step, row]
            for channel in range(channels):
                before = voltage[channel] + arriving * current[channel]
                kept[channel] = before
                spike = threshold[channel] if before >= threshold[channel] else zero
                output[channel] = spike
                voltage[channel] = before - spike


@compiled
def fire_backward(
    gradient: Values,
    potentials: Values,
    threshold: Values,
    lead: int,
    width: float,
    learning: bool,
    by_drive: Values,
    by_threshold: NDArray[np.float64],
    by_potential: NDArray[np.float64],
) -> None:
    """The gradient of ``fire_forward``, with the surrogate.

    Args:
        gradient: By what is sent, (T, rows, channels).
        potentials: As the forward pass wrote them.
        threshold: (channels,).
        lead: Steps before the first spike.
        width: Of the surrogate, in thresholds.
        learning: Whether threshold and potential are trained; else their sums stay as they are.
        by_drive: (T or 1, rows, channels), written.
        by_threshold: (channels,), added to.
        by_potential: (channels,), added to.
    """
    steps, rows, channels = gradient.shape
    constant = len(by_drive) < steps
    after = np.empty_like(threshold)
    reach = (width * threshold).astype(threshold.dtype)
    inverse = (1 / threshold).astype(threshold.dtype)
    zero, one = threshold.dtype.type(0), threshold.dtype.type(1)
    for row in range(rows):
        after[:] = zero
        if constant:
            by_drive[0, row] = zero
        for step in range(steps + lead - 1, -1, -1):
            if step >= lead:
                received, kept = gradient[step - lead, row], potentials[step - lead, row]
                if learning:
                    for channel in range(channels):
                        near = one if abs(kept[channel] - threshold[channel]) < reach[channel] else zero
                        fired = one if kept[channel] >= threshold[channel] else zero
                        by_spike = received[channel] - after[channel]
                        by_threshold[channel] += by_spike * (fired - near * kept[channel] * inverse[channel])
                # A spike sends Vth, and takes Vth from the potential.
                for channel in range(channels):
                    near = one if abs(kept[channel] - threshold[channel]) < reach[channel] else zero
                    after[channel] += near * (received[channel] - after[channel])
            if step < steps:
                written = by_drive[0 if constant else step, row]
                if constant:
                    for channel in range(channels):
                        written[channel] += after[channel]
                else:
                    for channel in range(channels):
                        written[channel] = after[channel]
        if learning:
            for channel in range(channels):
                by_potential[channel] += after[channel]
