"""Integrate-and-fire neurons over all their steps, with a surrogate gradient: compiled for the CPU, and in torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from snnc.common.arrays import FloatingArray
from snnc.common.jit import compiled

__all__ = ["SURROGATE_WIDTH", "fire", "fire_backward", "fire_forward"]


@compiled
def fire_forward(
    drive: FloatingArray,
    threshold: FloatingArray,
    potential: FloatingArray,
    lead: int,
    sent: FloatingArray,
    potentials: FloatingArray,
) -> None:
    """Return what :func:`snnc.models.spiking.neuron.fire` defines.

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
    gradient: FloatingArray,
    potentials: FloatingArray,
    threshold: FloatingArray,
    lead: int,
    width: float,
    learning: bool,
    by_drive: FloatingArray,
    by_threshold: NDArray[np.float64],
    by_potential: NDArray[np.float64],
) -> None:
    """Return the gradient of ``fire_forward``, with the surrogate.

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


# a of the surrogate derivative, in thresholds.
SURROGATE_WIDTH = 0.5


def fire(
    drive: Tensor, threshold: Tensor, potential: Tensor, steps: int, *, lead: int = 0, width: float = SURROGATE_WIDTH
) -> Tensor:
    """Return what a population sends for what it receives, differentiable by a surrogate.

    At every step ``v += I``; from step ``lead`` on a neuron with ``v >= Vth`` fires, sends Vth, and ``v -= Vth``. With
    lead k, input arrives in the first T of T + k steps, and spikes leave in the last T of them.

    The derivative of a spike by its potential is 1 / Vth where ``|v - Vth| < a Vth``, else 0: in units of the threshold
    that is the paper's (Bojkovic et al., section 8.2.1, footnote 2). Through the reset it is followed too, and so is
    the way of the threshold and the initial potential into the result.

    Args:
        drive: Input I of every step, bias included, (T, batch, *shape), or (1, batch, *shape) where it is the same at
            every step; in units of the activations.
        threshold: Vth, > 0, of a shape that broadcasts to (batch, *shape); in the same units.
        potential: v before the first step, likewise.
        steps: T, at least 1.
        lead: k, steps that a neuron integrates before it may fire, at least 0.
        width: a, in thresholds, > 0.

    Returns:
        (T, batch, *shape): Vth where a neuron fires, else 0.

    Raises:
        ValueError: T is below 1, or ``drive`` has neither 1 nor T steps.
    """
    if steps < 1 or len(drive) not in (1, steps):
        raise ValueError(f"expected 1 or {steps} >= 1 steps of input, found {len(drive)}")
    fused = drive.device.type == "cpu" and drive.dtype in (torch.float32, torch.float64)
    kind = _FusedFire if fused else _Fire
    sent: Tensor = kind.apply(drive, threshold, potential, steps, lead, width)  # type: ignore[no-untyped-call]
    return sent


class _FusedFire(torch.autograd.Function):
    """One pass over memory each way; channels come last in memory."""

    @staticmethod
    def forward(
        context: Any, drive: Tensor, threshold: Tensor, potential: Tensor, steps: int, lead: int, width: float
    ) -> Tensor:
        """Return what the population sends, as :func:`fire` says."""
        per_channel = (threshold.flatten(), potential.flatten())
        rows = _rows(drive, len(per_channel[0]))
        sent, potentials = (rows.new_empty((steps, *rows.shape[1:])) for _ in range(2))
        received, levels, starts = (each.detach().numpy() for each in (rows, *per_channel))
        fire_forward(received, levels, starts, lead, sent.numpy(), potentials.numpy())
        context.save_for_backward(potentials, threshold, potential)
        context.lead, context.width, context.given = lead, width, len(drive)
        context.shape = tuple(drive.shape[1:])
        return _images(sent, context.shape)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients, as the surrogate of :func:`fire` says."""
        potentials, threshold, potential = context.saved_tensors
        channels = potentials.shape[2]
        gradient = _rows(gradients[0], channels)
        by_drive = gradient.new_empty((context.given, *gradient.shape[1:]))
        sums = torch.zeros(2, channels, dtype=torch.float64)
        fire_backward(
            gradient.numpy(),
            potentials.numpy(),
            threshold.detach().flatten().numpy(),
            context.lead,
            context.width,
            any(context.needs_input_grad[1:3]),
            by_drive.numpy(),
            *sums.numpy(),
        )
        by_threshold, by_potential = sums.to(threshold.dtype)
        return (
            _images(by_drive, context.shape),
            by_threshold.reshape(threshold.shape) if context.needs_input_grad[1] else None,
            by_potential.reshape(potential.shape) if context.needs_input_grad[2] else None,
            None,
            None,
            None,
        )


def _rows(values: Tensor, channels: int) -> Tensor:
    """Return (steps, batch, channels, ...) as (steps, all places, channels); a view where channels come last."""
    steps = len(values)
    return values.movedim(2, -1).reshape(steps, -1, channels).contiguous()


def _images(rows: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return the reverse of ``_rows``, for samples and their shape (batch, channels, ...)."""
    batch, channels, *places = shape
    return rows.reshape(len(rows), batch, *places, channels).movedim(-1, 2)


class _Fire(torch.autograd.Function):
    """The same in torch's operations, on any device."""

    @staticmethod
    def forward(
        context: Any, drive: Tensor, threshold: Tensor, potential: Tensor, steps: int, lead: int, width: float
    ) -> Tensor:
        """Return what :func:`fire` says, and keep the potentials before each reset for the gradient."""
        sent = torch.empty_like(drive.expand(steps, *drive.shape[1:]))
        potentials = torch.empty_like(sent)
        voltage = torch.zeros_like(drive[0]) + potential
        for step in range(steps + lead):
            if step < steps:
                voltage = voltage + drive[step if len(drive) > 1 else 0]
            if step < lead:
                continue
            potentials[step - lead] = voltage
            torch.mul(voltage >= threshold, threshold, out=sent[step - lead])
            if step < steps + lead - 1:
                voltage = voltage - sent[step - lead]
        context.save_for_backward(potentials, threshold, potential)
        context.steps, context.lead, context.width, context.given = steps, lead, width, len(drive)
        return sent

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Go back through the steps, from the last one on."""
        (gradient,) = gradients
        potentials, threshold, potential = context.saved_tensors
        steps, lead, given = context.steps, context.lead, context.given
        by_drive = torch.zeros_like(gradient[:given]) if given < steps else torch.empty_like(gradient)
        by_threshold: Tensor | None = None
        after: Tensor | None = None  # by the potential after the reset of a step
        for step in reversed(range(steps + lead)):
            if step >= lead:
                voltage, received = potentials[step - lead], gradient[step - lead]
                # A spike sends Vth, and takes Vth from the potential.
                by_spike = received if after is None else received - after
                near = (voltage - threshold).abs() < context.width * threshold
                before = by_spike * near if after is None else after + by_spike * near
                if context.needs_input_grad[1]:
                    fired = (voltage >= threshold).to(voltage.dtype)
                    part = (by_spike * (fired - near * (voltage / threshold))).sum_to_size(threshold.shape)
                    by_threshold = part if by_threshold is None else by_threshold + part
            else:
                assert after is not None
                before = after
            if step < steps:
                if given > 1 or steps == 1:
                    by_drive[step] = before
                else:
                    by_drive[0] += before
            after = before
        assert after is not None
        by_potential = after.sum_to_size(potential.shape) if context.needs_input_grad[2] else None
        return by_drive, by_threshold, by_potential, None, None, None
