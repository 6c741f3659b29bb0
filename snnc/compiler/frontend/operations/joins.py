"""What makes one value of several: sums and concatenations; and arithmetic that is not supported."""

from __future__ import annotations

import operator

import torch

from snnc.compiler.frontend.operations.call import Call
from snnc.compiler.frontend.operations.table import Operator, advise
from snnc.compiler.ir import Add, Concat, Identity, Operation

advise("scale the weights of the layer before or after it instead", "div", "mul", "neg", "truediv")
advise("change the sign of the layer that gives the second value, and add", "sub")
advise("use torch.cat(values, dim=1)", "stack")


@Operator(
    functions=(torch.add, operator.add, operator.iadd),
    methods=("add", "add_", "__add__", "__iadd__"),
    aten=("add", "add_"),
    onnx=("Add", "Sum"),
    reads_several=True,
    listed_call="sums of two values",
    conditions="of values that the network computes, of one shape, `sum([x, y])` too; no `alpha`, no constants or "
    "parameters",
)
def add(call: Call, other: object = None, *, alpha: object = 1) -> Operation:
    """Build the sum of two values that the network computes; ``sum([x, y])`` begins with ``0 + x``, which is ``x``."""
    if alpha != 1:
        raise call.unsupported(
            f"a sum with alpha={alpha}", "alpha=1", advice="scale the weights of the layer that gives the second value"
        )
    if call.parameters:
        raise call.unsupported(
            f"a sum with the parameter {call.parameters[0].target}",
            "two values that the network computes",
            advice="make it the bias of the layer before",
        )
    if len(call.shapes) == 1:
        constant = next((each for each in (call.first, other) if isinstance(each, int | float)), None)
        if constant == 0:
            return Identity()
        raise call.unsupported(
            f"a sum with the constant {constant}",
            "two values that the network computes",
            advice="add it to the bias of the layer before",
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
