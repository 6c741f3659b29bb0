"""Translating sums and concatenations."""

from __future__ import annotations

from snnc.compiler.frontend.support import Call
from snnc.compiler.ir import Add, Concat, Identity, Operation


def add(call: Call) -> Operation:
    """The sum of two values that the network computes; ``sum([x, y])`` begins with ``0 + x``, which is ``x``."""
    # Two's operands stand first or second, or are named; torch calls them input (or self) and other.
    operands = [call.argument(name, position, None) for position, name in enumerate(("input", "other"))]
    alpha = call.keyword("alpha", 1)
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
        constant = next((each for each in operands if isinstance(each, int | float)), None)
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


def concatenate(call: Call) -> Operation:
    """Values one behind the other along the channels."""
    axis = call.argument("dim", 1, call.keyword("axis", 0))
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
