"""Integrate-and-fire neurons over all their steps, with a gradient for training."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from snnc.models.spiking.fused import fire_backward, fire_forward

__all__ = ["SURROGATE_WIDTH", "fire"]

# a of the surrogate derivative, in thresholds.
SURROGATE_WIDTH = 0.5


def fire(
    drive: Tensor, threshold: Tensor, potential: Tensor, steps: int, *, lead: int = 0, width: float = SURROGATE_WIDTH
) -> Tensor:
    """What a population sends for what it receives, differentiable by a surrogate.

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
        """As :func:`fire` says."""
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
        """As the surrogate says."""
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
    """(steps, batch, channels, ...) as (steps, places of all samples, channels); a view where channels come last."""
    steps = len(values)
    return values.movedim(2, -1).reshape(steps, -1, channels).contiguous()


def _images(rows: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The reverse of ``_rows``, for samples and their shape (batch, channels, ...)."""
    batch, channels, *places = shape
    return rows.reshape(len(rows), batch, *places, channels).movedim(-1, 2)


class _Fire(torch.autograd.Function):
    """The same in torch's operations, on any device."""

    @staticmethod
    def forward(
        context: Any, drive: Tensor, threshold: Tensor, potential: Tensor, steps: int, lead: int, width: float
    ) -> Tensor:
        """As :func:`fire` says; the potentials before each reset are kept for the gradient."""
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
        """Back through the steps, from the last one on."""
        (gradient,) = gradients
        potentials, threshold, potential = context.saved_tensors
        steps, lead, given = context.steps, context.lead, context.given
        by_drive = torch.zeros_like(gradient[:given]) if given < steps else torch.empty_like(gradient)
        by_threshold: Tensor | None = None
        after: Tensor | None = None  # by the potential behind the reset of a step
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
