"""The padding of ONNX's convolutions and poolings."""

from __future__ import annotations

from typing import Any

import torch.fx
import torch.nn.functional as F

from snnc.compiler.frontend.load_tensors import MalformedFileError
from snnc.compiler.frontend.onnx_models.call import OnnxCall

__all__ = ["Sides", "padded", "same_padding", "sides_of"]

Pair = tuple[int, int]
# (top, bottom), (left, right).
Sides = tuple[Pair, Pair]


def sides_of(call: OnnxCall, kernel: Pair, stride: Pair, dilation: Pair) -> Sides | None:
    """The padding that a node asks for; None where it depends on the size of the image.

    Raises:
        MalformedFileError: It is in no form that ONNX has.
    """
    kind = call.attribute("auto_pad", "NOTSET")
    if kind == "VALID":
        return ((0, 0), (0, 0))
    if kind in ("SAME_UPPER", "SAME_LOWER"):
        if stride != (1, 1):
            return None
        # Without strides it is the same for images of every size.
        left, right, top, bottom = same_padding(1 << 20, 1 << 20, kernel, stride, dilation, kind == "SAME_LOWER")
        return ((top, bottom), (left, right))
    pads = call.attribute("pads", [0, 0, 0, 0])
    if kind != "NOTSET" or len(pads) != 4 or not all(isinstance(each, int) for each in pads):
        raise MalformedFileError(f"a {call.operator} has the padding {kind} {pads}")
    return ((pads[0], pads[2]), (pads[1], pads[3]))


def padded(call: OnnxCall, node: torch.fx.Node, sides: Sides | None) -> tuple[torch.fx.Node, Pair]:
    """A value with padding around it where it has to be, and the padding that is left to the convolution."""
    if sides is None:
        kernel = call.required(1, "weight").shape[2:]
        stride, dilation = call.attribute("strides", [1, 1]), call.attribute("dilations", [1, 1])
        lower = call.attribute("auto_pad", "") == "SAME_LOWER"
        sizes = [call.network.size(node, axis) for axis in (2, 3)]
        around: Any = call.network.call(same_padding, *sizes, tuple(kernel), tuple(stride), tuple(dilation), lower)
    elif all(first == last for first, last in sides):
        return node, (sides[0][0], sides[1][0])
    else:
        around = (*sides[1], *sides[0])
    return call.network.call(F.pad, node, around, "constant", 0), (0, 0)


def same_padding(rows: int, columns: int, kernel: Pair, stride: Pair, dilation: Pair, lower: bool) -> tuple[int, ...]:
    """The padding that keeps an image's size, divided by the stride, as F.pad takes it.

    Args:
        rows: Height of the image.
        columns: Width of the image.
        kernel: Vertical and horizontal size of the kernel.
        stride: Of the kernel.
        dilation: Of the kernel.
        lower: Whether an odd one goes to the top and left; else to the bottom and right.
    """
    sides: list[int] = []
    for size, length, step, spread in reversed(list(zip((rows, columns), kernel, stride, dilation, strict=True))):
        total = max((-(-size // step) - 1) * step + (length - 1) * spread + 1 - size, 0)
        smaller = total // 2
        sides += [total - smaller, smaller] if lower else [smaller, total - smaller]
    return tuple(sides)
