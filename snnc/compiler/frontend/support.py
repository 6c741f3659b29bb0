"""What the frontend supports, and how it says that something is not."""

from __future__ import annotations

from dataclasses import dataclass

import torch.fx

from snnc.common.errors import UnsupportedError
from snnc.compiler.frontend.locations import with_line
from snnc.compiler.ir import Shape

SUPPORTED = (
    "Conv2d",
    "ConvTranspose2d",
    "Linear",
    "BatchNorm1d",
    "BatchNorm2d",
    "ReLU",
    "ClippedReLU",
    "QCFS",
    "MaxPool2d",
    "AvgPool2d",
    "AdaptiveMaxPool2d",
    "AdaptiveAvgPool2d",
    "ZeroPad2d",
    "Dropout",
    "Identity",
    "Flatten",
)
SUPPORTED_CALLS = (
    "sums of two values",
    "torch.cat over channels",
    "slices",
    "means over both image axes",
)

_RELU = "train with ReLU instead"
_BOUNDED = "train with ReLU instead, or with snnc.models.ClippedReLU, which has an upper bound too"
_LAST = "train with ReLU instead, and leave a last one off: it does not change which class is the largest"
_NORM = "train with BatchNorm2d instead"
_SLICES = "take slices instead: x[:, :8], x[:, 8:]"
_SCALE = "scale the weights of the layer before or behind instead"

# What users try most often, and what to do instead; names as _plain() makes them.
INSTEAD = {
    **dict.fromkeys(
        (
            "celu",
            "elu",
            "gelu",
            "glu",
            "hardshrink",
            "hardswish",
            "leakyrelu",
            "logsigmoid",
            "mish",
            "prelu",
            "rrelu",
            "selu",
            "silu",
            "softplus",
            "softshrink",
            "softsign",
            "tanhshrink",
            "threshold",
        ),
        _RELU,
    ),
    **dict.fromkeys(("clamp", "clip", "hardtanh", "minimum", "relu6"), _BOUNDED),
    **dict.fromkeys(("hardsigmoid", "sigmoid", "tanh"), _LAST),
    **dict.fromkeys(
        (
            "groupnorm",
            "groupnormalization",
            "instancenorm2d",
            "instancenormalization",
            "layernorm",
            "layernormalization",
            "localresponsenorm",
            "lrn",
            "rmsnorm",
        ),
        _NORM,
    ),
    **dict.fromkeys(("chunk", "split", "tensorsplit", "gather", "narrow", "indexselect", "index"), _SLICES),
    **dict.fromkeys(("div", "mul", "neg", "truediv"), _SCALE),
    "sub": "change the sign of the layer that gives the second value, and add",
    "stack": "use torch.cat(values, dim=1)",
    "matmul": "only products with parameters can be compiled: nn.Linear",
    "interpolate": "train with ConvTranspose2d instead",
    "resize": "train with ConvTranspose2d instead",
    "upsample": "train with ConvTranspose2d instead",
    "squeeze": "use flatten(1)",
    "conv1d": "use Conv2d on an image of one row",
    "lppool2d": "train with AvgPool2d or MaxPool2d instead",
    **dict.fromkeys(("quantizelinear", "dequantizelinear"), "export the network before it is quantised"),
    "sum": "use a mean over both image axes, x.mean((2, 3)), and scale the weights of the next layer",
}


def supported() -> str:
    """The list of what is supported, as advice."""
    return f"supported: {', '.join(SUPPORTED)} and their functional forms; {', '.join(SUPPORTED_CALLS)}"


def advice_for(kind: str) -> str:
    """What to do about something that cannot be compiled: what would work instead of it, and what is supported.

    Args:
        kind: The module's class or the function's name.
    """
    instead = INSTEAD.get(_plain(kind))
    return f"{instead}; {supported()}" if instead else supported()


@dataclass(frozen=True)
class Call:
    """One call in the traced network.

    Attributes:
        node: torch.fx's node.
        where: The module path that errors name.
        kind: The module's class or the function's name.
        shapes: Shapes of the tensors that the network computes and the call reads, batch axis included; in the order
            of the arguments, and as often as they stand there.
        shape: Shape of its output, batch axis included.
        parameters: The nodes of the network's own tensors that it reads.
        line: ``file.py:12``, where that is known.
    """

    node: torch.fx.Node
    where: str
    kind: str
    shapes: tuple[Shape, ...]
    shape: Shape
    parameters: tuple[torch.fx.Node, ...] = ()
    line: str | None = None

    def argument(self, name: str, position: int, default: object) -> object:
        """An argument given by name or position; sizes and parameters as they are, a computed tensor as its node."""
        arguments = self.node.args
        return self._value(self.node.kwargs.get(name, arguments[position] if len(arguments) > position else default))

    def keyword(self, name: str, default: object) -> object:
        """An argument that can only be given by name."""
        return self._value(self.node.kwargs.get(name, default))

    def pair(self, name: str, position: int, default: object) -> tuple[int, int]:
        """An argument that is one integer or two.

        Raises:
            UnsupportedError: It is something else.
        """
        value = self.argument(name, position, default)
        try:
            return as_pair(value)
        except ValueError as error:
            raise self.unsupported(f"{name} of {self.kind} is {value!r}", "one whole number or two") from error

    def number(self, name: str, position: int, default: int) -> int:
        """An argument that is one integer.

        Raises:
            UnsupportedError: It is something else.
        """
        value = self.argument(name, position, default)
        if not isinstance(value, int):
            raise self.unsupported(f"{name} of {self.kind} is {value!r}", "one whole number")
        return value

    def unsupported(
        self, problem: str, expected: str | None = None, *, kind: str | None = None, advice: str | None = None
    ) -> UnsupportedError:
        """The error for something that cannot be compiled here.

        Args:
            problem: What it is.
            expected: What would be right.
            kind: What advice is looked up for, if not the call's own kind.
            advice: What would work instead, if not what ``INSTEAD`` says.
        """
        return UnsupportedError(
            problem,
            where=with_line(self.where, self.line),
            expected=expected,
            advice=advice or advice_for(kind or self.kind),
        )

    @staticmethod
    def _value(given: object) -> object:
        # Sizes of a tensor and parameters are nodes of their own, whose values the probe kept.
        value: object = torch.fx.node.map_arg(given, _kept)
        return tuple(value) if isinstance(value, torch.Size | list) else value


def title_of(node: torch.fx.Node) -> str:
    """The called function's or method's name."""
    target = node.target
    return target if isinstance(target, str) else getattr(target, "__name__", str(target))


def as_pair(value: object) -> tuple[int, int]:
    """One integer or a sequence of one or two as (vertical, horizontal)."""
    if isinstance(value, int):
        return (value, value)
    if isinstance(value, list | tuple) and all(isinstance(each, int) for each in value) and len(value) in (1, 2):
        return (int(value[0]), int(value[-1]))
    raise ValueError(f"expected one integer or two, found {value!r}")


def _kept(node: torch.fx.Node) -> object:
    value = node.meta.get("value")
    return node if value is None else value


def _plain(kind: str) -> str:
    """One name for ``LeakyReLU``, ``leaky_relu`` and ``leaky_relu_``."""
    return kind.lower().replace("_", "")
