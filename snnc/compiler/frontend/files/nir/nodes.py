"""NIR's nodes, one by one: neurons as activations, layers as functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import torch.fx
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from snnc.common.errors import UnsupportedError
from snnc.compiler.frontend.files.assembly import Assembly, Place
from snnc.compiler.ir.ops import rates
from snnc.program.nir.layout import SUBTRACT

__all__ = ["LAYERS", "SpikingActivation", "Value", "neurons_of", "scaled", "unusable"]


@dataclass(frozen=True)
class Value:
    """A value of the network.

    Attributes:
        node: What computes it.
        channels: Its channels; 0 for features, whose number the layer after them knows.
        is_image: Whether it has a height and a width.
        is_spiking: Whether neurons send it.
    """

    node: torch.fx.Node
    channels: int
    is_image: bool
    is_spiking: bool = False


def unusable(place: Place, problem: str, expected: str) -> UnsupportedError:
    """Return the error for a node.

    Args:
        place: The node.
        problem: What is wrong with it.
        expected: What would be right.
    """
    return place.unsupported(problem, expected, advice="change it in the tool that wrote the graph")


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
        """Return the spikes for each step, 0..1, (batch, channels, ...)."""
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
    """Return thresholds and initial potentials of a node.

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


def scaled(network: Assembly, value: Value, factor: NDArray[np.float64], shift: NDArray[np.float64]) -> Value:
    """Return a value times a factor, plus a shift, for each channel: a batch normalisation, which is folded later."""
    weight, bias = (torch.as_tensor(each, dtype=torch.float32) for each in (factor, shift))
    node = network.call(
        F.batch_norm, value.node, torch.zeros_like(weight), torch.ones_like(weight), weight, bias, False, 0.0, 0.0
    )
    return Value(node, len(weight), is_image=value.is_image)


def _convolution(network: Assembly, value: Value, node: Any) -> Value:
    weight, bias = _tensor(network, node, "weight", 4), _tensor(network, node, "bias", 1)
    padding = node.padding if isinstance(node.padding, str) else _pair(network, node, "padding")
    found = network.call(
        F.conv2d,
        value.node,
        weight,
        bias,
        _pair(network, node, "stride"),
        padding,
        _pair(network, node, "dilation"),
        int(node.groups),
    )
    return Value(found, len(weight), is_image=True)


def _linear(network: Assembly, value: Value, node: Any) -> Value:
    weight = _tensor(network, node, "weight", 2)
    bias = _tensor(network, node, "bias", 1) if hasattr(node, "bias") else None
    return Value(network.call(F.linear, value.node, weight, bias), len(weight), is_image=False)


def _scale(network: Assembly, value: Value, node: Any) -> Value:
    factor = np.asarray(node.scale, np.float64)
    rows = factor.reshape(len(factor), -1) if factor.ndim in (1, 3) else np.zeros((0, 0))
    if not rows.size or not np.isfinite(rows).all() or (rows != rows[:, :1]).any():
        raise unusable(network.place, "the scale differs within a channel", "one number for each channel")
    return scaled(network, value, rows[:, 0], np.zeros(len(rows)))


def _flatten(network: Assembly, value: Value, node: Any) -> Value:
    first, last = int(node.start_dim), int(node.end_dim)
    axes = 3 if value.is_image else 1
    # Axes of one sample; of a single channel that of the channels may stay out.
    if last not in (-1, axes - 1) or not (first in (0, -axes) or (first == 1 and value.channels == 1)):
        raise unusable(
            network.place,
            f"Flatten from axis {first} to {last}",
            "all axes of a sample: from 0 to -1, the batch not counted",
        )
    return Value(network.call(torch.flatten, value.node, 1), 0, is_image=False)


def _average(network: Assembly, value: Value, node: Any) -> Value:
    kernel, stride, padding = (_pair(network, node, name) for name in ("kernel_size", "stride", "padding"))
    found = network.call(F.avg_pool2d, value.node, kernel, stride, padding)
    return Value(found, value.channels, is_image=True)


def _sum(network: Assembly, value: Value, node: Any) -> Value:
    rows, columns = _pair(network, node, "kernel_size")
    factor = np.full(value.channels, float(rows * columns))
    return scaled(network, _average(network, value, node), factor, np.zeros_like(factor))


def _delay(network: Assembly, value: Value, node: Any) -> Value:
    if np.asarray(node.delay).any():
        raise unusable(
            network.place,
            "a delay is not supported",
            "edges without time: snnc aligns the paths of a network by itself",
        )
    return value


def _integrator(network: Assembly, value: Value, node: Any) -> Value:
    """Return a readout: neurons that only add up."""
    if np.unique(node.r).size != 1:
        raise unusable(network.place, "the integrators differ in r", "one for all")
    return value


LAYERS: Mapping[str, Callable[[Assembly, Value, Any], Value]] = {
    "Affine": _linear,
    "AvgPool2d": _average,
    "Conv2d": _convolution,
    "Delay": _delay,
    "Flatten": _flatten,
    "I": _integrator,
    "Linear": _linear,
    "Scale": _scale,
    "SumPool2d": _sum,
}


def _tensor(network: Assembly, node: Any, name: str, axes: int) -> torch.Tensor:
    values = np.asarray(getattr(node, name))
    if values.dtype.kind not in "fiu" or values.ndim != axes or not np.isfinite(values).all():
        raise unusable(
            network.place, f"{name} has the shape {values.shape}, or is not finite", f"numbers on {axes} axes"
        )
    return torch.as_tensor(values.astype(np.float32))


def _pair(network: Assembly, node: Any, name: str) -> tuple[int, int]:
    values = np.ravel(np.asarray(getattr(node, name)))
    if values.dtype.kind not in "iu" or values.size not in (1, 2):
        raise unusable(network.place, f"{name} is {values}", "an integer, or one for each axis of the image")
    found = values.tolist()
    return int(found[0]), int(found[-1])
