"""NIR's integrate-and-fire neurons as activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from snnc.compiler.exchange.layout import SUBTRACT
from snnc.compiler.frontend.assembly import Place
from snnc.compiler.frontend.nir_graphs.value import unusable
from snnc.compiler.ir.ops import rates

__all__ = ["SpikingActivation", "neurons_of"]


class SpikingActivation(nn.Module):
    """Rates of neurons whose input is the same at each step; a spike counts 1.

    Args:
        potential: Initial potential of each channel, in thresholds: 0..1.
        steps: T that the neurons were made for; None where that is not known.
    """

    snnc_activation: ClassVar[str] = "integrate_and_fire"

    def __init__(self, potential: torch.Tensor, steps: int | None) -> None:
        super().__init__()
        self.threshold: torch.Tensor
        self.potential: torch.Tensor
        self.register_buffer("threshold", torch.ones_like(potential))
        self.register_buffer("potential", potential)
        self.steps = steps

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Spikes for each step, 0..1, (batch, channels, ...)."""
        return rates(values, self.threshold, self.potential, self.steps)


@dataclass(frozen=True)
class Neurons:
    """What matters of a node ``IF``.

    Attributes:
        gain: What an input is multiplied with, in thresholds: (channels,).
        potential: The initial potential, in thresholds: (channels,), 0..1.
    """

    gain: NDArray[np.float64]
    potential: NDArray[np.float64]


def neurons_of(node: Any, place: Place, dt: float) -> Neurons:
    """Thresholds and initial potentials of a node.

    A reader starts potentials at 0. Reset by subtraction takes a potential at the threshold to ``v_reset``: so it
    subtracts ``v_threshold - v_reset``, and counted from ``v_reset`` the potential starts at ``-v_reset``.

    Args:
        node: A ``nir.IF``.
        place: Its place, for errors.
        dt: Seconds of a step.

    Raises:
        UnsupportedError: The neurons reset to a value, differ within a channel, or have thresholds that cannot be used.
    """
    if node.metadata.get("reset") != SUBTRACT:
        raise place.unsupported(
            "IF neurons of NIR reset to a value, those of snnc by subtraction",
            advice="if these do reset by subtraction, which NIR cannot say, say it in the file: node.metadata['reset'] "
            "= 'subtract'; else train the network for it",
        )
    level, reset, resistance = (_by_channel(node, name, place) for name in ("v_threshold", "v_reset", "r"))
    theta = level - reset
    if not ((theta > 0) & (reset <= 0) & (level >= 0)).all():
        raise unusable(
            place, "the thresholds cannot be used", "v_reset from 0 down, v_threshold from 0 on, and not both 0"
        )
    return Neurons(resistance * dt / theta, -reset / theta)


def _by_channel(node: Any, name: str, place: Place) -> NDArray[np.float64]:
    values = np.asarray(getattr(node, name), np.float64)
    if values.ndim not in (1, 3) or not values.size:
        raise unusable(place, f"{name} has the shape {values.shape}", "(features,) or (channels, height, width)")
    rows = values.reshape(len(values), -1)
    if not np.isfinite(rows).all() or (rows != rows[:, :1]).any():
        raise unusable(place, f"{name} differs within a channel, or is not finite", "one number for each channel")
    return rows[:, 0]
