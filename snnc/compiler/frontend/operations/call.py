"""A call in a traced network: its arguments, and how errors name it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.fx
from torch import nn

from snnc.common.arrays import FloatArray
from snnc.common.errors import UnsupportedError
from snnc.compiler.frontend.locations import with_line
from snnc.compiler.frontend.operations.table import advice_for
from snnc.compiler.ir import Shape

Pair = tuple[int, int]


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
        module: The module that is called; None for functions and methods.
    """

    node: torch.fx.Node
    where: str
    kind: str
    shapes: tuple[Shape, ...]
    shape: Shape
    parameters: tuple[torch.fx.Node, ...] = ()
    line: str | None = None
    module: nn.Module | None = None

    @property
    def first(self) -> object:
        """The first argument: a number as it is, a computed tensor as its node."""
        given = self.node.args[0] if self.node.args else next(iter(self.node.kwargs.values()), None)
        return kept(given)

    def pair(self, name: str, value: object) -> Pair:
        """Return an argument that is one integer or two, as (vertical, horizontal).

        Raises:
            UnsupportedError: It is something else.
        """
        if isinstance(value, int):
            return (value, value)
        if isinstance(value, list | tuple) and all(isinstance(each, int) for each in value) and len(value) in (1, 2):
            return (int(value[0]), int(value[-1]))
        raise self.unsupported(f"{name} of {self.kind} is {value!r}", "one whole number or two")

    def number(self, name: str, value: object) -> int:
        """Return an argument that is one integer.

        Raises:
            UnsupportedError: It is something else.
        """
        if not isinstance(value, int):
            raise self.unsupported(f"{name} of {self.kind} is {value!r}", "one whole number")
        return value

    def tensor(self, name: str, value: object) -> torch.Tensor | None:
        """Return an argument that has to be a parameter or buffer, not a computed value; None where it is absent.

        Raises:
            UnsupportedError: It is a computed value.
        """
        if value is not None and not isinstance(value, torch.Tensor):
            raise self.unsupported(
                f"{name} of {self.kind} is computed by the network", "a parameter or buffer of the module, as it is"
            )
        return value

    def required_tensor(self, name: str, value: object) -> torch.Tensor:
        """Return the same, where it must be there.

        Raises:
            UnsupportedError: It is a computed value, or absent.
        """
        tensor = self.tensor(name, value)
        if tensor is None:
            raise self.unsupported(f"{self.kind} without {name}", f"{name}: a parameter or buffer of the module")
        return tensor

    def in_training(self, problem: str, expected: str) -> UnsupportedError:
        """Return the error for what works at inference as it does in training.

        Args:
            problem: What is wrong where a function is told so.
            expected: What its call should be.
        """
        if self.module is None:
            return self.unsupported(problem, expected)
        return self.unsupported(f"{self.kind} stays in training mode", "a module that network.eval() takes out of it")

    def unsupported(
        self, problem: str, expected: str | None = None, *, kind: str | None = None, advice: str | None = None
    ) -> UnsupportedError:
        """Return the error for something that cannot be compiled here.

        Args:
            problem: What it is.
            expected: What would be right.
            kind: What advice is looked up for, if not the call's own kind.
            advice: What would work instead, if not what the table of operations says.
        """
        return UnsupportedError(
            problem,
            where=with_line(self.where, self.line),
            expected=expected,
            advice=advice or advice_for(kind or self.kind),
        )


def kept(given: object) -> object:
    """Return an argument with what the probe kept: sizes and parameters as they are, a computed tensor as its node."""
    value: object = torch.fx.node.map_arg(given, _kept)
    return tuple(value) if isinstance(value, torch.Size | list) else value


def _kept(node: torch.fx.Node) -> object:
    value = node.meta.get("value")
    return node if value is None else value


def title_of(node: torch.fx.Node) -> str:
    """Return the called function's or method's name."""
    target = node.target
    return target if isinstance(target, str) else getattr(target, "__name__", str(target))


def as_array(tensor: torch.Tensor) -> FloatArray:
    """Return a parameter as a float64 array of its own."""
    array: FloatArray = tensor.detach().cpu().to(torch.float64, copy=True).numpy()
    return array


def array_or(tensor: torch.Tensor | None, default: FloatArray) -> FloatArray:
    """Return a parameter as an array, or what stands for one that is absent."""
    return default if tensor is None else as_array(tensor)
