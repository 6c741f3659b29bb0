"""ONNX's operators that compute: what they call otherwise than the functions of the table of operations.

Those that are not here, and stand in the table, are functions of one value that look at each number by itself.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from snnc.compiler.frontend.files.onnx.call import Known, OnnxCall, Value, padded, sides_of
from snnc.compiler.frontend.operations.table import bounding_operator

__all__ = ["COMPUTING", "plain"]

# Pooling and convolutions are of images.
_IMAGE_AXES = 2
# ONNX's numbers of floating-point types, all of which are read as float32.
_FLOATING = (1, 10, 11, 16)


def pair(call: OnnxCall, name: str, default: list[int] | None) -> tuple[int, int]:
    """Return an attribute of two numbers.

    Raises:
        UnsupportedError: It has another number of them: the operator is not over images.
    """
    given = call.attributes.get(name, default)
    if not isinstance(given, list) or len(given) != _IMAGE_AXES or not all(isinstance(each, int) for each in given):
        raise call.unsupported(f"{name}={given} of {call.operator}", "two numbers, for rows and columns")
    return given[0], given[1]


def _convolution(call: OnnxCall) -> Value:
    value, weight = call.plain(), _image_weight(call)
    kernel = (weight.shape[2], weight.shape[3])
    stride, dilation = pair(call, "strides", [1, 1]), pair(call, "dilations", [1, 1])
    node, padding = padded(call, value.node, sides_of(call, kernel, stride, dilation))
    node = call.apply(
        node,
        weight=weight,
        bias=call.constant(2, "bias"),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=call.attribute("group", 1),
    )
    return Value(node, value.order, len(weight))


def _transposed_convolution(call: OnnxCall) -> Value:
    value, weight = call.plain(), _image_weight(call)
    if "output_shape" in call.attributes or call.attribute("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise call.unsupported("ConvTranspose with output_shape or auto_pad", "pads")
    groups, stride, dilation = (
        call.attribute("group", 1),
        pair(call, "strides", [1, 1]),
        pair(call, "dilations", [1, 1]),
    )
    extra = pair(call, "output_padding", [0, 0])
    sides = sides_of(call, (weight.shape[2], weight.shape[3]), stride, dilation)
    assert sides is not None
    # Less padding after than before is more output there; more is some to cut off.
    padding = tuple(first for first, _ in sides)
    surplus = tuple(more + first - last for more, (first, last) in zip(extra, sides, strict=True))
    node = call.apply(
        value.node,
        weight=weight,
        bias=call.constant(2, "bias"),
        stride=stride,
        padding=padding,
        output_padding=tuple(max(each, 0) for each in surplus),
        groups=groups,
        dilation=dilation,
    )
    if any(each < 0 for each in surplus):
        cut = [slice(None, each) if each < 0 else slice(None) for each in surplus]
        node = call.network.call(operator.getitem, node, (slice(None), slice(None), *cut))
    return Value(node, value.order, weight.shape[1] * groups)


def _image_weight(call: OnnxCall) -> torch.Tensor:
    weight = call.required(1, "weight")
    if weight.dim() != 2 + _IMAGE_AXES:
        raise call.unsupported(f"{call.operator} with weights of shape {tuple(weight.shape)}", "images: four axes")
    return weight


def _gemm(call: OnnxCall) -> Value:
    value, weight, bias = call.plain(), call.required(1, "weight"), call.constant(2, "bias")
    if call.attribute("transA", 0) or call.attribute("alpha", 1.0) != 1 or call.attribute("beta", 1.0) != 1:
        raise call.unsupported("Gemm with transA, alpha or beta", "transA=0, alpha=1, beta=1")
    weight = weight if call.attribute("transB", 0) else weight.t()
    if bias is not None:
        if bias.numel() not in (1, len(weight)):
            raise call.unsupported(f"Gemm with a bias of shape {tuple(bias.shape)}", "one for each output")
        bias = bias.flatten().expand(len(weight))
    return _linear(call, value, weight, bias)


def _matmul(call: OnnxCall) -> Value:
    weight = call.inputs[1] if len(call.inputs) > 1 else None
    if not isinstance(weight, torch.Tensor) or weight.dim() != 2:
        raise call.unsupported("MatMul of two values that the network computes", "a matrix of constants as the second")
    return _linear(call, call.plain(), weight.t(), None)


def _linear(call: OnnxCall, value: Value, weight: torch.Tensor, bias: torch.Tensor | None) -> Value:
    node = call.apply(value.node, weight=weight, bias=bias)
    return Value(node, value.order, len(weight) if len(value.order) == 2 else None)


def _batch_norm(call: OnnxCall) -> Value:
    _check_inference(call)
    value = call.plain()
    scale, shift, mean, variance = (
        call.required(position, name) for position, name in enumerate(("scale", "B", "mean", "var"), 1)
    )
    return _normalized(call, value, mean, variance, scale, shift, call.attribute("epsilon", 1e-5))


def _check_inference(call: OnnxCall) -> None:
    """Refuse batch normalisation by the statistics of the batch, which each version of ONNX asks for in its own way.

    From version 14 on an attribute says so; before, more than one output; before version 7 the lack of an attribute
    does too. Source: https://github.com/onnx/onnx/blob/main/docs/Changelog.md, BatchNormalization-1 to -15.

    Raises:
        UnsupportedError: It is in training mode, or has statistics for each value.
    """
    told = None
    if call.version >= _MODE_IS_AN_ATTRIBUTE:
        told = "training_mode=1" if call.attribute("training_mode", 0) else None
    elif call.outputs > 1:
        told = f"{call.outputs} outputs"
    elif call.version < _MODE_IS_THE_OUTPUTS and not call.attribute("is_test", 0):
        told = "is_test=0"
    if told:
        raise call.unsupported(
            f"BatchNormalization in training mode ({told}, version {call.version} of the operators)",
            "inference by the running mean and variance",
            advice="call network.eval() before exporting",
        )
    if call.version < _ALWAYS_SPATIAL and not call.attribute("spatial", 1) and len(call.value().order) > 2:
        raise call.unsupported("BatchNormalization with spatial=0", "one mean and variance for each channel")


# Versions of the set of operators from which on BatchNormalization says its mode so, and knows channels only.
_MODE_IS_AN_ATTRIBUTE, _MODE_IS_THE_OUTPUTS, _ALWAYS_SPATIAL = 14, 7, 9


def _normalized(
    call: OnnxCall,
    value: Value,
    mean: torch.Tensor,
    variance: torch.Tensor,
    scale: torch.Tensor,
    shift: torch.Tensor,
    epsilon: float,
) -> Value:
    node = call.network.call(F.batch_norm, value.node, mean, variance, scale, shift, False, 0.0, epsilon)
    return Value(node, value.order, len(mean))


def plain(call: OnnxCall) -> Value:
    """Return a function of one value, in whatever order its axes are."""
    value = call.value()
    return value.with_node(call.apply(value.node))


def _clip(call: OnnxCall) -> Value:
    """Return values between two bounds: a ReLU, where nothing is cut off above."""
    bounds: list[float] = []
    for position, (name, default) in enumerate((("min", -torch.inf), ("max", torch.inf)), 1):
        given = call.constant(position, name)
        bounds.append(float(call.attributes.get(name, default)) if given is None else float(given))
    row = bounding_operator(*bounds)
    if row is None:
        raise call.unsupported(f"Clip to {bounds[0]:g} to {bounds[1]:g}", "ReLU: no upper bound, 0 below")
    value = call.value()
    return value.with_node(call.network.call(row.function, value.node))


def _add(call: OnnxCall) -> Value:
    first, second = call.inputs
    if isinstance(first, Value) and isinstance(second, Value):
        return _sum(call, first, second)
    return _with_constant(call, torch.add)


def _sum(call: OnnxCall, first: Value, second: Value) -> Value:
    if first.order != second.order:
        raise call.unsupported("a sum of values whose axes are in different orders", "one order")
    node = call.network.call(torch.add, first.node, second.node)
    return Value(node, first.order, first.channels or second.channels)


def _sum_of_several(call: OnnxCall) -> Value:
    total = call.value()
    for position in range(1, len(call.inputs)):
        total = _sum(call, total, call.value(position))
    return total


def _subtract(call: OnnxCall) -> Value:
    return _with_constant(call, torch.sub)


def _multiply(call: OnnxCall) -> Value:
    return _with_constant(call, torch.mul)


def _divide(call: OnnxCall) -> Value:
    return _with_constant(call, torch.div)


def _with_constant(call: OnnxCall, function: Callable[..., Any]) -> Value:
    """Return what a function of two operands makes of a value and a constant, in the order in which they stand."""
    value = next((each for each in call.inputs if isinstance(each, Value)), None)
    if value is None or len(call.inputs) != 2:
        raise call.unsupported(f"{call.operator} of constants", "one value that the network computes")
    operands = [_operand(call, each, value) for each in call.inputs]
    # Which of the two it is, matters; the table says what it may be.
    return value.with_node(call.network.call(function, *operands))


def _operand(call: OnnxCall, given: Known | None, value: Value) -> Any:
    """Return an operand as it stands beside a value whose axes may be in another order."""
    if isinstance(given, Value):
        if given.order != value.order:
            raise call.unsupported(f"{call.operator} of values whose axes are in different orders", "one order")
        return given.node
    if not isinstance(given, torch.Tensor):
        raise call.unsupported(f"{call.operator} with sizes of the data", "a constant")
    missing = len(value.order) - given.dim()
    if missing < 0:
        raise call.unsupported(
            f"{call.operator} with a constant of shape {tuple(given.shape)}", "one number for each channel"
        )
    places = [value.order.index(axis) for axis in range(len(value.order))]
    return given.reshape((1,) * missing + tuple(given.shape)).permute(places)


def _same(call: OnnxCall) -> Known:
    given = call.inputs[0]
    assert given is not None
    return given


def _cast(call: OnnxCall) -> Known:
    if isinstance(call.inputs[0], Value) and call.attribute("to", 0) not in _FLOATING:
        raise call.unsupported("Cast to whole numbers is not supported", "floating-point numbers")
    return _same(call)


def _dropout(call: OnnxCall) -> Known:
    training = call.constant(2, "training_mode")
    if training is not None and bool(training.any()):
        raise call.unsupported("Dropout in training mode", "a network without it", advice="call network.eval() first")
    return _same(call)


def _softmax(call: OnnxCall) -> Value:
    value = call.value()
    axis = call.attribute("axis", -1 if call.version >= 13 else 1)
    if call.version < 13 and axis not in (-1, len(value.order) - 1):
        # Up to version 12 it ran over this axis and all that follow.
        raise call.unsupported(
            f"{call.operator} over several axes, from axis {axis} on",
            "the classes' axis alone, as from version 13 of the operators on",
        )
    return value.with_node(call.apply(value.node, dim=value.axis(axis)))


def _max_pool(call: OnnxCall) -> Value:
    value = call.plain()
    kernel, stride, dilation = _window(call)
    sides = sides_of(call, kernel, stride, dilation)
    if sides is None or any(first != last for first, last in sides):
        # Zeros around an image are not what maximum pooling pads with.
        raise call.unsupported("MaxPool with padding that differs between the sides", "equal padding", advice=_PADDING)
    padding = (sides[0][0], sides[1][0])
    ceil_mode = bool(call.attribute("ceil_mode", 0))
    return value.with_node(
        call.apply(
            value.node, kernel_size=kernel, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode
        )
    )


def _window(call: OnnxCall) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Return the size, stride and dilation."""
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
    return value.with_node(
        call.apply(
            node,
            kernel_size=kernel,
            stride=stride,
            padding=padding,
            ceil_mode=ceil_mode,
            count_include_pad=counted,
        )
    )


_PADDING = "pad with zeros in a layer of its own, or choose sizes that need no padding"


def _global(call: OnnxCall) -> Value:
    value = call.plain()
    return value.with_node(call.apply(value.node, output_size=1))


def _mean(call: OnnxCall) -> Value:
    value, axes = call.value(), call.integers(1, "axes")
    if axes is None:
        raise call.unsupported("ReduceMean over all axes", "both image axes")
    over = sorted(value.axis(axis) for axis in axes)
    keep = bool(call.attribute("keepdims", 1))
    node = call.apply(value.node, dim=over, keepdim=keep)
    if keep:
        return value.with_node(node)
    left = [axis for axis in value.order if axis not in over]
    return Value(node, tuple(sorted(left).index(axis) for axis in left), value.channels if 1 in left else None)


COMPUTING: dict[str, Callable[[OnnxCall], Known]] = {
    "Conv": _convolution,
    "ConvTranspose": _transposed_convolution,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
    "Add": _add,
    "Sum": _sum_of_several,
    "Sub": _subtract,
    "Mul": _multiply,
    "Div": _divide,
    "Identity": _same,
    "Cast": _cast,
    "Dropout": _dropout,
    "Softmax": _softmax,
    "LogSoftmax": _softmax,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global,
    "GlobalMaxPool": _global,
    "ReduceMean": _mean,
}
