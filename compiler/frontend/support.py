"""What the frontend supports, and how it says that something is not."""

from __future__ import annotations

from dataclasses import dataclass

import torch.fx

from snnc.compiler.ir import Shape
from snnc.errors import UnsupportedError

SUPPORTED = (
    "Conv2d",
    "Linear",
    "BatchNorm1d",
    "BatchNorm2d",
    "ReLU",
    "ClippedReLU",
    "QCFS",
    "AvgPool2d",
    "AdaptiveAvgPool2d",
    "Dropout",
    "Identity",
    "Flatten",
)

# What users try most often, and what to do instead.
INSTEAD = {
    "MaxPool2d": "train with AvgPool2d instead",
    "LeakyReLU": "train with ReLU instead",
    "ReLU6": "train with ReLU instead",
    "GELU": "train with ReLU instead",
    "SiLU": "train with ReLU instead",
    "Sigmoid": "train with ReLU instead, and leave a last sigmoid off",
    "Tanh": "train with ReLU instead",
    "LayerNorm": "train with BatchNorm2d instead",
    "GroupNorm": "train with BatchNorm2d instead",
    "add": "residual connections cannot be lowered yet",
    "cat": "concatenation cannot be lowered yet",
}


def supported() -> str:
    """The list of what is supported, as advice."""
    return f"supported: {', '.join(SUPPORTED)} and their functional forms"


@dataclass(frozen=True)
class Call:
    """One call in the traced network.

    Attributes:
        node: torch.fx's node.
        where: The module path that errors name.
        shapes: Shapes of its tensor inputs, batch axis included.
        shape: Shape of its output, batch axis included.
    """

    node: torch.fx.Node
    where: str
    shapes: tuple[Shape, ...]
    shape: Shape

    @property
    def title(self) -> str:
        """The called function's or method's name."""
        target = self.node.target
        return target if isinstance(target, str) else getattr(target, "__name__", str(target))

    def argument(self, name: str, position: int, default: object) -> object:
        """An argument given by name or position."""
        arguments = self.node.args
        given = self.node.kwargs.get(name, arguments[position] if len(arguments) > position else default)
        # Sizes of a tensor are nodes of their own, whose values the tracer kept.
        value: object = torch.fx.node.map_arg(given, lambda size: size.meta.get("value", size))
        return tuple(value) if isinstance(value, torch.Size | list) else value

    def pair(self, name: str, position: int, default: object) -> tuple[int, int]:
        """An argument that is one integer or two."""
        return as_pair(self.argument(name, position, default))

    def unsupported(self, problem: str, expected: str | None = None, *, kind: str | None = None) -> UnsupportedError:
        """The error for something that cannot be compiled here."""
        instead = INSTEAD.get(kind or self.title)
        advice = f"{instead}; {supported()}" if instead else supported()
        return UnsupportedError(problem, where=self.where, expected=expected, advice=advice)


def as_pair(value: object) -> tuple[int, int]:
    """One integer or a sequence of one or two as (vertical, horizontal)."""
    if isinstance(value, int):
        return (value, value)
    if isinstance(value, list | tuple) and all(isinstance(each, int) for each in value) and len(value) in (1, 2):
        return (int(value[0]), int(value[-1]))
    raise ValueError(f"expected one integer or two, found {value!r}")
