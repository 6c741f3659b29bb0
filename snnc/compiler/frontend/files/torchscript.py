"""Reads TorchScript archives, once the user trusts them.

``torch.jit.load`` runs no Python, but it runs TorchScript that the file brings: a ``__setstate__`` is called while the
file is read, and TorchScript can write files, take any memory and never end. So these files need ``--trust``.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.fx

from snnc.compiler.frontend.files.assembly import REFUSED, Assembly, Place, RefusedError, is_number, printable
from snnc.compiler.frontend.files.aten import Operators, Unknown, keep
from snnc.compiler.frontend.files.identify import Format, Start
from snnc.compiler.frontend.locations import foreign_line

__all__ = ["FORMAT", "read_torchscript"]

# How a traced operator says where it comes from: mynet.py(12): forward.
_TRACED_LINE = re.compile(r"^(?P<file>[^\s()]*)\((?P<line>\d+)\): ", re.MULTILINE)
# What turns a size into another form of itself.
_SAME = ("prim::NumToTensor", "aten::Int", "aten::ScalarImplicit", "prim::unchecked_cast")
_ARITHMETIC = ("aten::add", "aten::sub", "aten::mul", "aten::floordiv")


def read_torchscript(path: Path) -> torch.fx.GraphModule:
    """Read a network that ``torch.jit.save`` wrote, scripted or traced. This runs code that the file brings.

    Args:
        path: The file.

    Returns:
        The network, in evaluation mode, with all its modules written into one graph.

    Raises:
        UnsupportedError: It holds something that cannot be compiled; the message names the module or the line.
        RuntimeError: PyTorch cannot read it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TorchScript is deprecated
        module: Any = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
        names = {tensor.data_ptr(): name for name, tensor in [*module.named_parameters(), *module.named_buffers()]}
        module.eval()
        # Without its own optimisations, which would merge layers.
        frozen: Any = torch.jit.freeze(module, optimize_numerics=False)
    return _Reader(names).read(frozen.graph)


def _recognise(start: Start) -> bool:
    return start.has_record("constants.pkl")


FORMAT = Format(
    "torch.jit.save",
    _recognise,
    read_torchscript,
    runs_code="a TorchScript archive brings some that runs while it is read",
    instead="export the network again, with torch.export.save",
    precedence=10,
)


class _Reader:
    """Goes through the nodes of a frozen graph.

    Args:
        names: Parameters' names by the address of their values.
    """

    def __init__(self, names: dict[int, str]) -> None:
        self._names = names
        self._network = Assembly()
        self._operators = Operators(self._network)
        self._values: dict[str, Any] = {}

    def read(self, graph: Any) -> torch.fx.GraphModule:
        # The first input is the module itself.
        for given in list(graph.inputs())[1:]:
            self._values[given.debugName()] = self._network.input(Place(printable(given.debugName())))
        for node in graph.nodes():
            read = [self._values.get(each.debugName()) for each in node.inputs()]
            with self._network.collecting(self._values, [each.debugName() for each in node.outputs()], read):
                self._node(node)
        self._network.check()
        returned = [self._value(each) for each in graph.outputs()]
        return self._network.finish(returned[0] if len(returned) == 1 else returned)

    def _node(self, node: Any) -> None:
        kind, outputs = str(node.kind()), [each.debugName() for each in node.outputs()]
        self._network.place = self._place(node)
        if kind == "prim::Constant":
            self._values[outputs[0]] = node.output().toIValue()
        elif kind in ("prim::ListConstruct", "prim::TupleConstruct"):
            self._values[outputs[0]] = [self._values.get(each.debugName(), Unknown(kind)) for each in node.inputs()]
        elif kind in ("prim::ListUnpack", "prim::TupleUnpack"):
            keep(self._values, outputs, self._unpacked(self._value(next(node.inputs())), len(outputs)))
        elif kind in _SAME:
            self._values[outputs[0]] = self._values.get(next(node.inputs()).debugName(), Unknown(kind))
        elif kind == "prim::If" and not outputs and _may_raise(node):
            return  # a check of the input, which the probe makes too
        elif kind == "aten::size" and node.inputsSize() == 1:
            self._values[outputs[0]] = _Sizes(self._value(next(node.inputs())))
        elif kind == "aten::__getitem__":
            self._values[outputs[0]] = self._item(*(self._values.get(each.debugName()) for each in node.inputs()))
        elif kind in _ARITHMETIC and all(self._number(each) is not None for each in node.inputs()):
            first, second = (self._number(each) for each in list(node.inputs())[:2])
            self._values[outputs[0]] = self._operators.arithmetic(kind.removeprefix("aten::"), first, second)
        elif kind == "aten::size" or not outputs or any("Tensor" in str(each.type()) for each in node.outputs()):
            self._operator(node, kind, outputs)
        else:
            # Of checks and the like: whatever needs the result says so.
            self._values.update((each, Unknown(kind)) for each in outputs)

    def _number(self, described: Any) -> Any:
        """Return a whole number, or the node of one; None for others. Traced networks hold numbers as tensors."""
        value = self._values.get(described.debugName())
        if isinstance(value, torch.Tensor) and not value.dim() and not value.is_floating_point():
            return int(value)
        return value if isinstance(value, int) or is_number(value) else None

    def _item(self, several: Any, position: Any) -> Any:
        if isinstance(several, _Sizes) and isinstance(position, int):
            return self._network.size(several.tensor, position)
        if isinstance(several, list) and isinstance(position, int):
            return several[position]
        return Unknown("an index")

    def _unpacked(self, several: Any, count: int) -> tuple[Any, ...]:
        """Return the values of a list or tuple, or the sizes of a tensor: ``n, c, h, w = x.shape``."""
        if isinstance(several, _Sizes):
            return tuple(self._network.size(several.tensor, axis) for axis in range(count))
        return tuple(several)

    def _operator(self, node: Any, kind: str, outputs: list[str]) -> None:
        name = kind.removeprefix("aten::")
        if name == kind:
            raise self._network.place.unsupported(
                f"{printable(kind)} is not supported", "a network without control flow that depends on the data"
            )
        schema = torch._C.parse_schema(node.schema())
        given = {
            argument.name: self._value(each) for argument, each in zip(schema.arguments, node.inputs(), strict=True)
        }
        keep(self._values, outputs, self._operators.apply(name, given))

    def _value(self, described: Any) -> Any:
        value = self._values.get(described.debugName(), Unknown("an unknown value"))
        for each in value if isinstance(value, list) else [value]:
            if each is REFUSED:
                raise RefusedError
            if isinstance(each, Unknown):
                raise self._network.place.unsupported(
                    f"it reads what {printable(each.source)} gives", "values that supported operations give"
                )
        return value

    def _place(self, node: Any) -> Place:
        """Return a layer with parameters by their path; anything else by the operator, and its line."""
        line = _line(str(node.sourceRange()))
        operator = str(node.kind()).rpartition(":")[2].strip("_")
        for each in node.inputs():
            value = self._values.get(each.debugName())
            if isinstance(value, torch.Tensor) and value.data_ptr() in self._names:
                return Place(printable(self._names[value.data_ptr()].rpartition(".")[0]) or operator, line)
        return Place(operator, line)


@dataclass(frozen=True)
class _Sizes:
    """The sizes of a tensor, known once the network runs.

    Attributes:
        tensor: The tensor's node.
    """

    tensor: Any


def _line(source: str) -> str | None:
    """Return the innermost line of the user's code, in either form that TorchScript writes."""
    frames = [f'File "{each["file"]}", line {each["line"]}' for each in _TRACED_LINE.finditer(source)]
    # Behind this word comes the serialised code, whose lines nobody knows.
    own = source.partition("Serialized")[0]
    # A traced operator's frames stand innermost first.
    return foreign_line("\n".join(reversed(frames)) if frames else own)


def _may_raise(node: Any) -> bool:
    return any(each.kind() == "prim::RaiseException" for block in node.blocks() for each in block.nodes())
