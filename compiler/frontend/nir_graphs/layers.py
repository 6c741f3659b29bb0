"""NIR's nodes without neurons."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from snnc.compiler.frontend.assembly import Assembly
from snnc.compiler.frontend.nir_graphs.value import Value, unusable

__all__ = ["LAYERS", "scaled"]


def scaled(network: Assembly, value: Value, factor: NDArray[np.float64], shift: NDArray[np.float64]) -> Value:
    """A value times a factor, plus a shift, for each channel: a batch normalisation, which is folded later."""
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
    """A readout: neurons that only add up."""
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
