"""Puts a network together, call by call, that a file describes as a graph and not as Python code.

The result is a graph of torch.fx like those that tracing gives, so that everything after goes one way. Files are not
trusted: readers name the functions that may be called, no file does, and names from a file become no names in code.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.fx
from torch import nn

from snnc.common.errors import UnsupportedError
from snnc.compiler.frontend.files.tensors import MalformedFileError
from snnc.compiler.frontend.locations import LINE, PLACE, with_line
from snnc.compiler.frontend.operations.table import advice_for, together

__all__ = ["ARITHMETIC", "REFUSED", "Assembly", "Place", "RefusedError", "is_number", "printable"]

# torch's own numbers end here. Python's do not, and a file could let them grow until no memory is left.
_LIMIT = 1 << 63


def add_sizes(first: int, second: int) -> int:
    """Return the sum."""
    return _bounded(first + second)


def subtract_sizes(first: int, second: int) -> int:
    """Return the difference."""
    return _bounded(first - second)


def multiply_sizes(first: int, second: int) -> int:
    """Return the product."""
    return _bounded(first * second)


def divide_sizes(first: int, second: int) -> int:
    """Return the quotient, rounded down."""
    return _bounded(first // second)


def _bounded(number: int) -> int:
    if not -_LIMIT <= number < _LIMIT:
        raise OverflowError("a size has more than 64 bits")
    return number


ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "add": add_sizes,
    "sub": subtract_sizes,
    "mul": multiply_sizes,
    "floordiv": divide_sizes,
}


_NAME_MAXIMUM = 120


@dataclass(frozen=True)
class Place:
    """Where in the file's network a call stands.

    Attributes:
        name: What errors name: a module's path, or a node's name.
        line: ``file.py:12``, where that is known.
    """

    name: str
    line: str | None = None

    def unsupported(
        self, problem: str, expected: str | None = None, *, kind: str = "", advice: str | None = None
    ) -> UnsupportedError:
        """Return the error for something here that cannot be compiled.

        Args:
            problem: What it is.
            expected: What would be right.
            kind: What advice is looked up for: an operation's name.
            advice: What would work instead, if not what the list of supported operations says.
        """
        return UnsupportedError(
            problem, where=with_line(self.name, self.line), expected=expected, advice=advice or advice_for(kind)
        )


class Refused:
    """Stands for a value that a refused call would give."""


REFUSED = Refused()


class RefusedError(Exception):
    """A call reads what a refused one would give."""


class Assembly:
    """A network in the making. Tensors given to a call that are no nodes become buffers of the network.

    Attributes:
        place: Where the calls that are made now come from.
    """

    def __init__(self) -> None:
        self.place = Place("")
        self._refused: list[UnsupportedError] = []
        self._root = nn.Module()
        self._graph = torch.fx.Graph()
        self._inputs = 0
        self._modules = 0
        # By identity: the same tensor used twice is one buffer. The tensors are kept, so that no identity comes back.
        self._buffers: dict[int, tuple[torch.Tensor, str]] = {}

    def input(self, place: Place) -> torch.fx.Node:
        """Add an input of the network."""
        # Names of a function's arguments, which must differ.
        name = f"input_{self._inputs}" if self._inputs else "input"
        self._inputs += 1
        node: torch.fx.Node = self._graph.placeholder(name)
        node.meta[PLACE] = place.name
        return node

    @contextlib.contextmanager
    def collecting(self, values: dict[str, Any], outputs: Sequence[str], inputs: Sequence[Any]) -> Iterator[None]:
        """Collect what is refused in a block, so that the calls after it are looked at too; ``check`` raises all of it.

        Args:
            values: Values by name; where the block is left by an error, something stands in for its outputs.
            outputs: Names of what the block gives.
            inputs: What it reads.
        """
        try:
            yield
        except UnsupportedError as error:
            self._refused.append(error)
        except MalformedFileError:
            raise  # bounds on memory have to hold
        except Exception:
            # What reads something that stands in for another may fail in any way.
            if not self._refused:
                raise
        else:
            return
        computed = [each for each in inputs if isinstance(getattr(each, "node", each), torch.fx.Node)]
        values.update(dict.fromkeys(outputs, REFUSED))
        if outputs and len(computed) == 1 and not is_number(computed[0]):
            values[outputs[0]] = computed[0]

    def check(self) -> None:
        """Check that nothing was refused.

        Raises:
            UnsupportedError: Something was; all of it is named.
        """
        if self._refused:
            raise together(self._refused)

    def call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> torch.fx.Node:
        """Add the call of a function, which must be one that may be run on anything.

        Args:
            function: The function, such as ``F.conv2d``.
            *arguments: Its arguments: nodes, tensors, numbers, and sequences of these.
            **named: Those given by name.
        """
        node = self._graph.call_function(
            function,
            tuple(self._admitted(each) for each in arguments),
            {name: self._admitted(each) for name, each in named.items()},
        )
        return self._placed(node)

    def module(self, module: nn.Module, value: torch.fx.Node) -> torch.fx.Node:
        """Add the call of a module of ours, which becomes a part of the network.

        Args:
            module: The module.
            value: Its argument.
        """
        name = f"module_{self._modules}"
        self._modules += 1
        self._root.add_module(name, module)
        return self._placed(self._graph.call_module(name, (value,)))

    def size(self, tensor: torch.fx.Node, axis: int) -> torch.fx.Node:
        """Add the length of a tensor's axis, known once the network runs."""
        return self._placed(self._graph.call_method("size", (tensor, axis)))

    def finish(self, output: Any) -> torch.fx.GraphModule:
        """Finish the network and return it.

        Args:
            output: What it returns.
        """
        self._graph.output(self._admitted(output))
        network: torch.fx.GraphModule = torch.fx.GraphModule(self._root, self._graph, "Network")
        return network

    def _placed(self, node: torch.fx.Node) -> torch.fx.Node:
        node.meta[PLACE] = self.place.name
        node.meta[LINE] = self.place.line
        return node

    def _admitted(self, value: Any) -> Any:
        """Return an argument as torch.fx takes it; nothing but these kinds is written into the graph's code."""
        if isinstance(value, torch.Tensor):
            return self._graph.get_attr(self._buffer(value))
        if isinstance(value, slice):
            return slice(*(self._admitted(each) for each in (value.start, value.stop, value.step)))
        if isinstance(value, Sequence) and not isinstance(value, str):
            return tuple(self._admitted(each) for each in value)
        if value is None or value is Ellipsis or isinstance(value, torch.fx.Node | bool | int | float):
            return value
        if value in ("same", "valid", "constant"):
            return value
        raise self.place.unsupported(f"an argument is a {type(value).__name__}", "tensors and numbers")

    def _buffer(self, tensor: torch.Tensor) -> str:
        if id(tensor) not in self._buffers:
            name = f"tensor_{len(self._buffers)}"
            self._root.register_buffer(name, tensor.detach())
            self._buffers[id(tensor)] = (tensor, name)
        return self._buffers[id(tensor)][1]


def is_number(value: object) -> bool:
    """Say whether something is the node of a number: a size, or what was computed of sizes."""
    return isinstance(value, torch.fx.Node) and (
        (value.op == "call_method" and value.target == "size") or value.target in ARITHMETIC.values()
    )


def printable(name: str) -> str:
    """Return a name from a file in one line of sober length, without what would steer a terminal."""
    text = "".join(character if character.isprintable() else "?" for character in name)
    return text if len(text) <= _NAME_MAXIMUM else f"{text[:_NAME_MAXIMUM]}..."
