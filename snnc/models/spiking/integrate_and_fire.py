"""The activation of a network that is trained, or was trained, as a spiking one: a population of neurons."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from snnc.common.arrays import per_channel
from snnc.common.errors import OptionError
from snnc.common.staircase import spike_counts
from snnc.models.spiking.neuron import SURROGATE_WIDTH, fire

__all__ = ["IntegrateAndFire"]

# No threshold becomes smaller in training than this share of what it began with.
SMALLEST = 1e-3


class IntegrateAndFire(nn.Module):
    """A population of integrate-and-fire neurons with a threshold and an initial potential for each channel.

    ``forward`` gives the rate for an input that is the same at each of T steps, a staircase:
    ``Vth / T * clip(floor((T x + v0) / Vth), 0, T)``. At T = 1 that is the neuron itself. ``spikes`` computes step by
    step, with a gradient; that is what training calls.

    Args:
        threshold: Vth of each channel, (channels,), > 0, in units of the activations.
        potential: v0 of each channel, 0 <= v0 <= Vth.
        steps: T, at least 1.

    Attributes:
        threshold: Vth, a parameter of shape (channels,).
        potential: v0, a parameter of shape (channels,).
        steps: T.

    Raises:
        OptionError: A number is out of its range.
    """

    snnc_activation: ClassVar[str] = "integrate_and_fire"

    def __init__(self, threshold: Tensor, potential: Tensor, steps: int) -> None:
        super().__init__()
        if not isinstance(steps, int) or steps < 1:
            raise OptionError("out of range", where="steps", expected="a whole number from 1 on", found=repr(steps))
        if threshold.ndim != 1 or not bool(((threshold > 0) & (threshold < math.inf)).all()):
            raise OptionError(
                "out of range", where="threshold", expected="finite numbers above 0, one for each channel"
            )
        if potential.shape != threshold.shape or not bool(((potential >= 0) & (potential <= threshold)).all()):
            raise OptionError("out of range", where="potential", expected="0..threshold for each channel")
        self.threshold = nn.Parameter(threshold.detach().float().clone())
        self.potential = nn.Parameter(torch.minimum(potential.detach().float(), self.threshold.detach()))
        self.steps = steps

    def forward(self, values: Tensor) -> Tensor:
        """Return rates for values that stay the same, (batch, channels, ...)."""
        threshold, potential = self._broadcast(self.threshold, values), self._broadcast(self.potential, values)
        return threshold * (spike_counts(values, threshold, potential, self.steps) / self.steps)

    def spikes(self, drive: Tensor, *, lead: int = 0, width: float = SURROGATE_WIDTH) -> Tensor:
        """Return what the population sends at each step; see :func:`snnc.models.spiking.neuron.fire`.

        Args:
            drive: (T or 1, batch, channels, ...).
            lead: Steps that it integrates before it may fire.
            width: Of the surrogate derivative, in thresholds.

        Returns:
            (T, batch, channels, ...): the threshold where a neuron fires, else 0.
        """
        # Potentials are summed in the precision of the thresholds, whatever the layers around compute in.
        drive = drive.to(self.threshold.dtype)
        threshold, potential = self._broadcast(self.threshold, drive[0]), self._broadcast(self.potential, drive[0])
        return fire(drive, threshold, potential, self.steps, lead=lead, width=width)

    def keep_in_range(self) -> None:
        """Move thresholds and potentials back where a step of training left their range, in place."""
        with torch.no_grad():
            self.threshold.clamp_(min=SMALLEST * float(self.threshold.max()))
            self.potential.clamp_(min=0.0)
            torch.minimum(self.potential, self.threshold, out=self.potential)

    def extra_repr(self) -> str:
        """Return steps and channels, for ``print(network)``."""
        return f"steps={self.steps}, channels={len(self.threshold)}"

    @staticmethod
    def _broadcast(values: Tensor, like: Tensor) -> Tensor:
        return per_channel(values.to(like.dtype), like.ndim - 1)
