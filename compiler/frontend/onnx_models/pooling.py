"""ONNX's pooling, and means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from snnc.compiler.frontend.onnx_models.call import OnnxCall
from snnc.compiler.frontend.onnx_models.layers import pair
from snnc.compiler.frontend.onnx_models.padding import padded, sides_of
from snnc.compiler.frontend.onnx_models.values import Known, Value

__all__ = ["POOLING"]


def _max_pool(call: OnnxCall) -> Value:
    value = call.plain()
    kernel, stride, dilation = _window(call)
    sides = sides_of(call, kernel, stride, dilation)
    if sides is None or any(first != last for first, last in sides):
        # Zeros around an image are not what maximum pooling pads with.
        raise call.unsupported("MaxPool with padding that differs between the sides", "equal padding", advice=_PADDING)
    padding = (sides[0][0], sides[1][0])
    node = call.network.call(
        F.max_pool2d, value.node, kernel, stride, padding, dilation, bool(call.attribute("ceil_mode", 0))
    )
    return value.with_node(node)


def _window(call: OnnxCall) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Size, stride and dilation."""
    return pair(call, "kernel_shape", None), pair(call, "strides", [1, 1]), pair(call, "dilations", [1, 1])


def _average_pool(call: OnnxCall) -> Value:
    value = call.plain()
    kernel, stride, dilation = _window(call)
    sides = sides_of(call, kernel, stride, dilation)
    if dilation != (1, 1):
        raise call.unsupported("AveragePool with dilations", "dense windows")
    counted = bool(call.attribute("count_include_pad", 0))
    if sides is None or (not counted and any(first != last for first, last in sides)):
        raise call.unsupported("AveragePool with padding that is not counted", "count_include_pad=1", advice=_PADDING)
    node, padding = padded(call, value.node, sides)
    ceil_mode = bool(call.attribute("ceil_mode", 0))
    return value.with_node(call.network.call(F.avg_pool2d, node, kernel, stride, padding, ceil_mode, counted))


_PADDING = "pad with zeros in a layer of its own, or choose sizes that need no padding"


def _global(function: Callable[..., Any]) -> Callable[[OnnxCall], Value]:
    def translate(call: OnnxCall) -> Value:
        value = call.plain()
        return value.with_node(call.network.call(function, value.node, 1))

    return translate


def _mean(call: OnnxCall) -> Value:
    value, axes = call.value(), call.integers(1, "axes")
    if axes is None:
        raise call.unsupported("ReduceMean over all axes", "both image axes")
    over = sorted(value.axis(axis) for axis in axes)
    keep = bool(call.attribute("keepdims", 1))
    node = call.network.call(torch.mean, value.node, over, keep)
    if keep:
        return value.with_node(node)
    left = [axis for axis in value.order if axis not in over]
    return Value(node, tuple(sorted(left).index(axis) for axis in left), value.channels if 1 in left else None)


POOLING: dict[str, Callable[[OnnxCall], Known]] = {
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global(F.adaptive_avg_pool2d),
    "GlobalMaxPool": _global(F.adaptive_max_pool2d),
    "ReduceMean": _mean,
}
