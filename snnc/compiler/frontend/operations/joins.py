"""What makes one value of several: sums and concatenations; and arithmetic with constants."""

from __future__ import annotations

import operator

import numpy as np
import torch
import torch.fx

from snnc.common.arrays import FloatArray
from snnc.compiler.frontend.operations.call import Call, as_array
from snnc.compiler.frontend.operations.table import Operator, advise
from snnc.compiler.ir import Add, BatchNorm, Concat, Identity, Operation

advise("multiply, or divide, by constants only", "floordiv", "pow", "remainder", "fmod", "square", "sqrt", "exp")
advise("use torch.cat(values, dim=1)", "stack")


_WITH_CONSTANTS = "constants, parameters and buffers: one number, or one for each channel"


@Operator(
    functions=(torch.add, operator.add, operator.iadd),
    methods=("add", "add_", "__add__", "__iadd__"),
    aten=("add", "add_"),
    onnx=("Add", "Sum"),
    reads_several=True,
    listed_call="sums of two values",
    conditions=f"of values that the network computes, of one shape and without `alpha`, `sum([x, y])` too; and with "
    f"{_WITH_CONSTANTS}",
)
def add(call: Call, other: object = None, *, alpha: object = 1) -> Operation:
    """Build the sum of two values that the network computes, or of one and a constant."""
    if len(call.shapes) == 1:
        return _shifted(call, other, alpha, 1, 1)
    if alpha != 1:
        raise call.unsupported(
            f"a sum with alpha={alpha}", "alpha=1", advice="scale the weights of the layer that gives the second value"
        )
    if len(set(call.shapes)) != 1:
        raise call.unsupported(
            f"a sum of {' and '.join(str(shape) for shape in call.shapes)} repeats values",
            "two values of one shape",
            advice="bring both to one shape before, for instance by a 1x1 convolution with the same stride on the "
            "shortcut",
        )
    return Add()


@Operator(
    functions=(torch.sub, torch.subtract, operator.sub, operator.isub),
    methods=("sub", "sub_", "subtract", "subtract_"),
    aten=("sub", "sub_"),
    onnx=("Sub",),
    reads_several=True,
    listed_call="x + c, x - c, x * c and x / c with constants",
    conditions=f"with {_WITH_CONSTANTS}",
)
def subtract(call: Call, other: object = None, *, alpha: object = 1) -> Operation:
    """Build the difference of a value and a constant, in either order."""
    if len(call.shapes) != 1:
        raise call.unsupported(
            "the difference of two values that the network computes is not supported",
            "a constant as one of the two",
            advice="change the sign of the layer that gives the second value, and add",
        )
    return _shifted(call, other, alpha, 1, -1)


@Operator(functions=(torch.rsub,), aten=("rsub",), reads_several=True)
def subtract_from(call: Call, other: object = None, *, alpha: object = 1) -> Operation:
    """Build the difference of a constant and a value, given in the other order."""
    if len(call.shapes) != 1:
        return subtract(call, other, alpha=alpha)
    return _shifted(call, other, alpha, -1, 1)


@Operator(
    functions=(torch.mul, torch.multiply, operator.mul, operator.imul),
    methods=("mul", "mul_", "multiply", "multiply_"),
    aten=("mul", "mul_"),
    onnx=("Mul",),
    reads_several=True,
    conditions=f"with {_WITH_CONSTANTS}",
)
def multiply(call: Call, other: object = None) -> Operation:
    """Build the product of a value and a constant."""
    if len(call.shapes) != 1:
        raise call.unsupported(
            "the product of two values that the network computes is not supported",
            "a constant as one of the two",
            advice="spikes are added and not multiplied: gates, attention and squeeze-and-excitation have to be "
            "trained without",
        )
    return _affine(call, _constant(call, other, "a product"), None)


@Operator(
    functions=(torch.div, torch.divide, torch.true_divide, operator.truediv, operator.itruediv),
    methods=("div", "div_", "divide", "divide_", "true_divide", "true_divide_"),
    aten=("div", "div_"),
    onnx=("Div",),
    reads_several=True,
    conditions=f"by {_WITH_CONSTANTS}",
)
def divide(call: Call, other: object = None, *, rounding_mode: object = None) -> Operation:
    """Build the quotient of a value and a constant."""
    if rounding_mode is not None:
        raise call.unsupported(f"a division with rounding_mode={rounding_mode!r}", "rounding_mode=None")
    if len(call.shapes) != 1 or not _is_value_first(call):
        raise call.unsupported(
            "a division by what the network computes is not supported",
            "a constant as the divisor",
            advice="normalise by batch normalisation, whose statistics are constants at inference",
        )
    constant = _constant(call, other, "a division")
    if not constant.all():
        raise call.unsupported("a division by 0", "constants other than 0")
    return _affine(call, 1 / constant, None)


@Operator(functions=(torch.neg, torch.negative, operator.neg), methods=("neg", "neg_", "negative"), aten=("neg",))
def negate(call: Call) -> Operation:
    """Build a value with the other sign."""
    return _affine(call, -np.ones(1), None)


def _shifted(call: Call, other: object, alpha: object, sign: int, other_sign: int) -> Operation:
    """Build ``sign * first + other_sign * other``, of which one is a constant.

    Args:
        call: The call.
        other: The second operand.
        alpha: torch's factor, which has to be 1.
        sign: 1 or -1.
        other_sign: 1 or -1.
    """
    constant = _constant(call, other, "a sum" if sign == other_sign else "a difference")
    if alpha != 1:
        raise call.unsupported(f"{call.kind} with a constant and alpha={alpha}", "alpha=1")
    first, second = (sign, other_sign) if _is_value_first(call) else (other_sign, sign)
    if first == 1 and not constant.any():
        return Identity()  # sum([x, y]) begins with 0 + x
    return _affine(call, None if first == 1 else -np.ones(1), second * constant)


def _is_value_first(call: Call) -> bool:
    return isinstance(call.first, torch.fx.Node)


def _constant(call: Call, other: object, what: str) -> FloatArray:
    """Return the one of two operands that is not computed, (channels,) or (1,)."""
    given = other if _is_value_first(call) else call.first
    shape = call.shapes[0]
    name = f"the parameter or buffer {call.parameters[0].target}" if call.parameters else "a constant"
    if isinstance(given, int | float) and not isinstance(given, bool):
        return np.full(1, float(given))
    if not isinstance(given, torch.Tensor):
        raise call.unsupported(f"{what} with {given!r}", "a number, parameter or buffer")
    sizes = (1,) * (len(shape) - given.dim()) + tuple(given.shape)
    if len(sizes) != len(shape) or any(size != 1 for axis, size in enumerate(sizes) if axis != 1):
        raise call.unsupported(
            f"{what} with {name} of shape {tuple(given.shape)}",
            f"one number, or one for each channel: shape {(shape[1], *[1] * (len(shape) - 2))}",
            advice="what differs from pixel to pixel cannot be a part of the network: do it to the data",
        )
    return as_array(given).reshape(-1)


def _affine(call: Call, scale: FloatArray | None, shift: FloatArray | None) -> BatchNorm:
    """Return a factor and a summand for each channel: batch normalisation of mean 0 and variance 1."""
    channels = call.shapes[0][1]
    scales, shifts = (
        np.broadcast_to(default if each is None else each, (channels,)).copy()
        for each, default in ((scale, np.ones(1)), (shift, np.zeros(1)))
    )
    return BatchNorm(np.zeros(channels), np.ones(channels), scales, shifts, 0.0)


@Operator(
    functions=(torch.cat, torch.concat, torch.concatenate),
    aten=("cat", "concat", "concatenate"),
    onnx=("Concat",),
    reads_several=True,
    listed_call="torch.cat over channels",
    conditions="over channels or features, `dim=1`",
)
def concatenate(call: Call, dim: object = None, *, axis: object = 0) -> Operation:
    """Build values one after the other along the channels."""
    # NumPy's name for it is taken too.
    axis = axis if dim is None else dim
    axes = len(call.shape)
    if call.parameters:
        raise call.unsupported(
            f"a concatenation with the parameter {call.parameters[0].target}",
            "values that the network computes",
            advice="make it the bias of a layer",
        )
    if not isinstance(axis, int) or axis % axes != 1:
        raise call.unsupported(
            f"a concatenation over axis {axis} of shape {call.shapes[0]}", "the channels' axis, 1", advice="use dim=1"
        )
    return Concat() if len(call.shapes) > 1 else Identity()
