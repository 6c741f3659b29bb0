"""From an ONNX model to a network that can be traced.

The package ``onnx`` takes the file apart, into messages that hold data and nothing that runs. Operators are looked up
in tables; models' own functions and those of other domains are not in them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
import torch.fx

from snnc.common.errors import ModelError, UnsupportedError
from snnc.compiler.frontend.files.assembly import REFUSED, Assembly, Place, RefusedError, printable
from snnc.compiler.frontend.files.identify import Format, Start
from snnc.compiler.frontend.files.onnx.arrangement import ARRANGEMENT, is_moved_channel
from snnc.compiler.frontend.files.onnx.call import CHANNELS_LAST, Known, OnnxCall, Value, as_numbers, identity
from snnc.compiler.frontend.files.onnx.operators import COMPUTING, plain
from snnc.compiler.frontend.files.onnx.tensors import TensorReader, number_operator
from snnc.compiler.frontend.files.tensors import MalformedFileError
from snnc.compiler.frontend.operations.table import onnx_operator

__all__ = ["FORMAT", "has_channels_last", "read_onnx"]

_TO_CHANNELS_FIRST = [0, 3, 1, 2]
# They look at each value by itself, so the transposition may come after them.
_ELEMENTWISE = ("Add", "Cast", "Div", "Identity", "Mul", "Sub")


def has_channels_last(graph: Any, name: str, sizes: list[int], constants: Mapping[str, Known]) -> bool:
    """Say whether an input is brought from channels last to channels first before anything else is done with it.

    Args:
        graph: ONNX's ``GraphProto``.
        name: The input.
        sizes: Its four sizes; 0 for those that the model leaves open.
        constants: The model's constants by name.
    """
    same = {name}
    for node in graph.node:
        if not same.intersection(node.input):
            continue
        if node.op_type == "Transpose":
            return any(list(each.ints) == _TO_CHANNELS_FIRST for each in node.attribute if each.name == "perm")
        if node.op_type == "Reshape" and len(node.input) == 2:
            target = as_numbers(constants.get(node.input[1]))
            return target is not None and is_moved_channel(sizes[3], target) == 1
        if node.op_type in _ELEMENTWISE:
            same.update(node.output)
    return False


_OPERATORS: Mapping[str, Callable[[OnnxCall], Known | tuple[Known, ...]]] = {**COMPUTING, **ARRANGEMENT}
_DOMAINS = ("", "ai.onnx")
# Kinds of attributes, and the fields that hold them; graphs inside of nodes are control flow.
_ATTRIBUTES = {1: "f", 2: "i", 3: "s", 4: "t", 6: "floats", 7: "ints"}
_IMAGE_RANK = 4
_COPIES_FREE = 1 << 20


def read_onnx(path: Path) -> torch.fx.GraphModule:
    """Read an ONNX model. No code is run.

    Args:
        path: The file; values may lie in plain files beside it.

    Returns:
        The network; it takes any number of samples, images with channels first also where the model has them last.

    Raises:
        UnsupportedError: The model holds something that cannot be compiled; the message names the node.
        ModelError: The package ``onnx`` is not installed.
        MalformedFileError: The file is truncated or damaged.
        OSError: The file cannot be read.
    """
    model = _parsed(path)
    try:
        return _Reader(model, TensorReader(path)).read()
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
        raise MalformedFileError(f"its graph contradicts itself: {error!r}") from error


def _recognise(start: Start) -> bool:
    # ONNX files have no mark of their own: they begin with the format's version and the program that wrote them.
    head = start.head
    if not head or start.is_zip:
        return False
    return start.path.suffix.lower() == ".onnx" or (head[0] == 0x08 and b"pytorch" in head[:64])


FORMAT = Format("ONNX", _recognise, read_onnx, precedence=50)


def _parsed(path: Path) -> Any:
    try:
        onnx: Any = importlib.import_module("onnx")
    except ImportError as error:
        raise ModelError(
            "reading ONNX models needs the package onnx", where=str(path), advice="pip install onnx"
        ) from error
    model = onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except OSError:
        raise
    except Exception as error:  # of several classes, by the version of protobuf
        raise MalformedFileError(f"it is no ONNX model: {error}") from error
    if not model.ir_version or not model.HasField("graph"):
        raise MalformedFileError("it holds no graph")
    return model


class _Reader:
    """Goes through the nodes of a model, which stand in the order of their dependence."""

    def __init__(self, model: Any, tensors: TensorReader) -> None:
        self._graph = model.graph
        self._version = max((each.version for each in model.opset_import if each.domain in _DOMAINS), default=0)
        self._tensors = tensors
        self._network = Assembly()
        self._values: dict[str, Any] = {}
        self._batch: int | None = None
        # Bytes that copies of constants may still take.
        self._left = _COPIES_FREE

    def read(self) -> torch.fx.GraphModule:
        if self._graph.sparse_initializer:
            raise UnsupportedError("the model has sparse constants", expected="dense ones")
        for each in self._graph.initializer:
            self._values[each.name] = tensor = self._tensors.read(each)
            self._left += tensor.nbytes
        for each in self._graph.input:
            if each.name not in self._values:
                self._input(each)
        for number, node in enumerate(self._graph.node):
            read = [self._values.get(each) for each in node.input]
            with self._network.collecting(self._values, [str(each) for each in node.output], read):
                self._node(node, number)
        self._network.check()
        outputs = [self._output(each.name) for each in self._graph.output]
        return self._network.finish(outputs[0] if len(outputs) == 1 else outputs)

    def _input(self, described: Any) -> None:
        name = printable(described.name)
        sizes = [each.dim_value if each.HasField("dim_value") else 0 for each in described.type.tensor_type.shape.dim]
        if len(sizes) not in (2, _IMAGE_RANK):
            raise UnsupportedError(
                f"the input has {len(sizes)} axes",
                where=name,
                expected="(samples, features), (samples, channels, height, width) or that with channels last",
            )
        self._batch = sizes[0] or None
        last = len(sizes) == _IMAGE_RANK and has_channels_last(self._graph, described.name, sizes, self._values)
        order = CHANNELS_LAST if last else identity(len(sizes))
        channels = sizes[order.index(1)] or None
        self._values[described.name] = Value(self._network.input(Place(name)), order, channels)

    def _output(self, name: str) -> torch.fx.Node:
        value = self._known(name)
        if not isinstance(value, Value) or not value.plain:
            raise UnsupportedError(
                "the output is no tensor of classes", where=printable(name), expected="(samples, classes)"
            )
        return value.node

    def _node(self, node: Any, number: int) -> None:
        outputs = [str(each) for each in node.output]
        name = node.name or f"{node.op_type} {outputs[0] if outputs else number}"
        self._network.place = Place(printable(name))
        operator = printable(node.op_type)
        if node.domain not in _DOMAINS:
            raise self._network.place.unsupported(
                f"{printable(node.domain)}.{operator} is not supported", "ONNX's own operators"
            )
        inputs = [self._known(each) if each else None for each in node.input]
        call = OnnxCall(
            operator, inputs, self._attributes(node), len(outputs), self._network, self._batch, self._version
        )
        result = self._apply(call)
        results = result if isinstance(result, tuple) else (result,)
        for each in results:
            self._count_copy(each, inputs)
        # Of a second output, such as the places of maxima, whoever reads it says that nothing gives it.
        self._values.update(zip(outputs, results, strict=False))

    def _count_copy(self, result: Known, inputs: Sequence[Known | None]) -> None:
        """Refuse models that copy constants again and again, for instance by reshaping transposed ones."""
        if not isinstance(result, torch.Tensor):
            return
        storages = [each.untyped_storage().data_ptr() for each in inputs if isinstance(each, torch.Tensor)]
        if result.untyped_storage().data_ptr() not in storages:
            self._left -= result.nbytes
        if self._left < 0:
            raise MalformedFileError("it copies its constants more often than any network needs")

    def _apply(self, call: OnnxCall) -> Known | tuple[Known, ...]:
        if call.operator == "Constant":
            return _constant(call)
        numbers = number_operator(call)
        if numbers is not None:
            return numbers
        translator = _OPERATORS.get(call.operator)
        if translator is None and onnx_operator(call.operator) is None:
            raise call.unsupported(f"{call.operator} is not supported")
        return (translator or plain)(call)

    def _known(self, name: str) -> Known:
        if name not in self._values:
            raise self._network.place.unsupported(
                f"it reads {printable(name)}, which nothing gives", "values that the nodes before it give"
            )
        value = self._values[name]
        if value is REFUSED:
            raise RefusedError
        return cast(Known, value)

    def _attributes(self, node: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for each in node.attribute:
            field = _ATTRIBUTES.get(each.type)
            if field is None:
                raise self._network.place.unsupported(
                    f"{printable(node.op_type)} is not supported", "a graph without control flow"
                )
            value = getattr(each, field)
            if field == "t":
                value = self._tensors.read(value)
            elif field == "s":
                value = value.decode("utf-8", "replace")
            found[each.name] = list(value) if field in ("ints", "floats") else value
        return found


def _constant(call: OnnxCall) -> torch.Tensor:
    """Return a constant that is a node; it has one attribute, which says its kind."""
    ((_, value),) = call.attributes.items()
    if isinstance(value, str):
        raise call.unsupported("a constant text is not supported")
    return value if isinstance(value, torch.Tensor) else torch.tensor(value)
