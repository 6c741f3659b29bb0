"""A node of an ONNX model: its inputs and attributes, and the padding of convolutions and poolings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.fx
import torch.nn.functional as F

from snnc.common.errors import UnsupportedError
from snnc.compiler.frontend.files.assembly import Assembly
from snnc.compiler.frontend.files.tensors import MalformedFileError
from snnc.compiler.frontend.operations.table import onnx_operator

__all__ = ["CHANNELS_LAST", "Numbers", "OnnxCall", "Sides", "Value", "identity", "padded", "same_padding", "sides_of"]

# An image (samples, rows, columns, channels) in terms of (samples, channels, rows, columns).
CHANNELS_LAST = (0, 2, 3, 1)


@dataclass(frozen=True)
class Value:
    """A tensor that the network computes.

    A transposition moves nothing: images stay (samples, channels, rows, columns), and it is noted which of these
    axes the model's own are. So what a converter puts around convolutions, for networks that have channels last,
    cancels.

    Attributes:
        node: The tensor, images with channels first.
        order: For each axis of the model's tensor the axis of ``node`` that it is.
        channels: Length of axis 1, where it is known.
    """

    node: torch.fx.Node
    order: tuple[int, ...]
    channels: int | None = None

    @property
    def plain(self) -> bool:
        """Whether the axes are in order."""
        return self.order == identity(len(self.order))

    def axis(self, axis: int) -> int:
        """Return the node's axis for one of the model's, which may be counted from the end.

        Raises:
            IndexError: There is no such axis.
        """
        return self.order[axis]

    def with_node(self, node: torch.fx.Node) -> Value:
        """Return the same arrangement of another tensor."""
        return replace(self, node=node)


@dataclass(frozen=True)
class Numbers:
    """Whole numbers that are computed of sizes: the shape of a tensor, parts of it, products.

    Attributes:
        values: The numbers; those known only once the network runs are nodes.
    """

    values: tuple[Any, ...]


def identity(rank: int) -> tuple[int, ...]:
    """Return the order of axes that are where they belong."""
    return tuple(range(rank))


Known = Value | Numbers | torch.Tensor


# Lists of axes, sizes and the like are not longer.
NUMBERS_MAXIMUM = 64


@dataclass(frozen=True)
class OnnxCall:
    """A node.

    Attributes:
        operator: Its operator, such as ``Conv``.
        inputs: What it reads; None where an input is left out.
        attributes: Its attributes by name.
        outputs: Number of values it gives.
        network: Takes the calls that it becomes.
        batch: Number of samples that the model was written for, where that is fixed.
        version: Of the set of operators.
    """

    operator: str
    inputs: Sequence[Known | None]
    attributes: Mapping[str, Any]
    outputs: int
    network: Assembly
    batch: int | None
    version: int

    def apply(self, node: torch.fx.Node, **parameters: Any) -> torch.fx.Node:
        """Return the call of the function that the table of operations has for the operator.

        Args:
            node: What it is applied to.
            **parameters: The function's other arguments.
        """
        row = onnx_operator(self.operator)
        assert row is not None
        return self.network.call(row.function, node, **parameters)

    def value(self, position: int = 0) -> Value:
        """Return an input that the network computes.

        Raises:
            UnsupportedError: It is a constant.
            MalformedFileError: It is absent.
        """
        given = self._input(position)
        if not isinstance(given, Value):
            raise self.unsupported(f"{self.operator} of a constant", "values that the network computes")
        return given

    def plain(self, position: int = 0) -> Value:
        """Return an input that the network computes, an image with its channels first, or features.

        Raises:
            UnsupportedError: It is something else.
        """
        value = self.value(position)
        if not value.plain:
            raise self.unsupported(
                f"{self.operator} reads axes in the order {value.order}",
                "a transposition in front of it, as tf2onnx writes them",
            )
        return value

    def constant(self, position: int, name: str) -> torch.Tensor | None:
        """Return an input that has to be constant; None where it is left out.

        Raises:
            UnsupportedError: It is computed.
        """
        given = self.inputs[position] if position < len(self.inputs) else None
        if given is not None and not isinstance(given, torch.Tensor):
            raise self.unsupported(f"{name} of {self.operator} is computed by the network", "a constant")
        return given

    def required(self, position: int, name: str) -> torch.Tensor:
        """Return the same, where it must be there.

        Raises:
            MalformedFileError: It is absent.
        """
        given = self.constant(position, name)
        if given is None:
            raise MalformedFileError(f"a {self.operator} has no {name}")
        return given

    def numbers(self, position: int, name: str) -> list[Any] | None:
        """Return whole numbers given by an input or, in older models, an attribute; None where they are left out.

        Raises:
            UnsupportedError: They are computed of data.
        """
        if name in self.attributes:
            given = self.attributes[name]
            return list(given) if isinstance(given, Sequence) else [given]
        given = self.inputs[position] if position < len(self.inputs) else None
        if given is None:
            return None
        numbers = as_numbers(given)
        if numbers is None:
            raise self.unsupported(f"{name} of {self.operator} is computed by the network", "numbers")
        return numbers

    def integers(self, position: int, name: str) -> list[int] | None:
        """Return the same, where all of them have to be known.

        Raises:
            UnsupportedError: They are not.
        """
        numbers = self.numbers(position, name)
        if numbers is not None and not all(isinstance(each, int) for each in numbers):
            raise self.unsupported(
                f"{name} of {self.operator} depends on sizes that the model leaves open",
                "numbers",
                advice="export the model with a fixed size of its images",
            )
        return numbers

    def attribute(self, name: str, default: Any) -> Any:
        """Return an attribute; it has to be of its default's type."""
        given = self.attributes.get(name, default)
        if default is not None and not isinstance(given, type(default)):
            raise MalformedFileError(f"{name} of a {self.operator} is a {type(given).__name__}")
        return given

    def unsupported(self, problem: str, expected: str | None = None, *, advice: str | None = None) -> UnsupportedError:
        """Return the error for something that cannot be compiled."""
        return self.network.place.unsupported(problem, expected, kind=self.operator, advice=advice)

    def _input(self, position: int) -> Known:
        given = self.inputs[position] if position < len(self.inputs) else None
        if given is None:
            raise MalformedFileError(f"a {self.operator} lacks an input")
        return given


def as_numbers(given: Known | None) -> list[Any] | None:
    """Return whole numbers, in one row; None for what are none."""
    if isinstance(given, Numbers):
        return list(given.values)
    if isinstance(given, torch.Tensor) and not given.is_floating_point() and given.numel() <= NUMBERS_MAXIMUM:
        return [int(each) for each in given.flatten()]
    return None


Pair = tuple[int, int]
# (top, bottom), (left, right).
Sides = tuple[Pair, Pair]


def sides_of(call: OnnxCall, kernel: Pair, stride: Pair, dilation: Pair) -> Sides | None:
    """Return the padding that a node asks for; None where it depends on the size of the image.

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
    """Return a value with padding around it where it has to be, and the padding that is left to the convolution."""
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
    """Return the padding that keeps an image's size, divided by the stride, as F.pad takes it.

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
