"""Constants of ONNX models, and operators on sizes: ``x.view(x.size(0), -1)`` is written as a handful of them."""

from __future__ import annotations

import math
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import torch

from snnc.compiler.frontend.files.assembly import ARITHMETIC, printable
from snnc.compiler.frontend.files.onnx.call import NUMBERS_MAXIMUM, Numbers, OnnxCall, Value, as_numbers
from snnc.compiler.frontend.files.tensors import MalformedFileError, storage_bytes

__all__ = ["TensorReader", "number_operator"]

_AXES_MAXIMUM = 16
_EXTERNAL = 1
# ONNX's numbers of element types, and the field that holds values which are not raw bytes.
_TYPES: dict[int, tuple[torch.dtype, str]] = {
    1: (torch.float32, "float_data"),
    2: (torch.uint8, "int32_data"),
    3: (torch.int8, "int32_data"),
    5: (torch.int16, "int32_data"),
    6: (torch.int32, "int32_data"),
    7: (torch.int64, "int64_data"),
    9: (torch.bool, "int32_data"),
    10: (torch.float16, "int32_data"),
    11: (torch.float64, "double_data"),
    16: (torch.bfloat16, "int32_data"),
}
# Their fields hold the bits.
_HALVES = (torch.float16, torch.bfloat16)


class TensorReader:
    """Reads tensors of one model; their declared sizes have to fit the bytes that are there.

    Args:
        model: The model's file: values may lie in plain files beside it, in the same folder.
    """

    def __init__(self, model: Path) -> None:
        self._folder = model.parent
        # Bytes of each file beside it that may still be read: no byte belongs to two tensors.
        self._left: dict[str, int] = {}

    def read(self, described: Any) -> torch.Tensor:
        """Return a tensor.

        Args:
            described: ONNX's ``TensorProto``.

        Raises:
            MalformedFileError: It is of an unknown type, its values are fewer or more than its shape says, or lie
                in a file other than a plain one beside the model.
        """
        name, shape = printable(described.name) or "a constant", tuple(described.dims)
        if described.data_type not in _TYPES:
            raise MalformedFileError(f"{name} is of the unknown type {described.data_type}")
        if described.HasField("segment") or len(shape) > _AXES_MAXIMUM or any(length < 0 for length in shape):
            raise MalformedFileError(f"{name} has no shape that is possible")
        dtype, field = _TYPES[described.data_type]
        count = math.prod(shape)
        if described.data_location == _EXTERNAL:
            content = self._external(described, name, storage_bytes(dtype, count))
        elif described.HasField("raw_data"):
            content = bytearray(described.raw_data)
        else:
            return _from_field(getattr(described, field), dtype, shape, name)
        if len(content) != storage_bytes(dtype, count):
            raise MalformedFileError(f"{name} of shape {shape} has {len(content)} bytes")
        if sys.byteorder != "little":
            raise MalformedFileError("ONNX models are little-endian, and this machine is not")
        return torch.frombuffer(content, dtype=dtype).reshape(shape) if content else torch.empty(shape, dtype=dtype)

    def _external(self, described: Any, name: str, expected: int) -> bytearray:
        """Return the values of a tensor that lie in another file."""
        where = {each.key: each.value for each in described.external_data}
        location = where.get("location", "")
        if not location or location in (".", "..") or any(mark in location for mark in "/\\:\0"):
            raise MalformedFileError(
                f"{name} lies in {printable(location)!r}, and values are read from the model's own folder only"
            )
        offset, length = _count(where.get("offset", "0"), name), _count(where.get("length", str(expected)), name)
        if length != expected:
            raise MalformedFileError(f"{name} needs {expected} bytes, and has {length}")
        with _opened(self._folder / location, name) as source:
            size = os.fstat(source.fileno()).st_size
            left = self._left.setdefault(location, size) - length
            if offset + length > size or left < 0:
                raise MalformedFileError(f"{name} reaches beyond the end of {printable(location)}, or lies on another")
            self._left[location] = left
            source.seek(offset)
            return bytearray(source.read(length))


def _opened(path: Path, name: str) -> IO[bytes]:
    """Return a plain file: a link could lead anywhere, a pipe would make us wait."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise MalformedFileError(
            f"{name} lies in {printable(path.name)}, beside the model, which is missing, a link or unreadable"
        ) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise MalformedFileError(f"{name} lies in {printable(path.name)}, which is no plain file")
    return os.fdopen(descriptor, "rb")


def _count(text: str, name: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > len(str(sys.maxsize)):
        raise MalformedFileError(f"{name} has no place that is a number")
    return int(text)


def _from_field(values: Any, dtype: torch.dtype, shape: tuple[int, ...], name: str) -> torch.Tensor:
    if len(values) != math.prod(shape):
        raise MalformedFileError(f"{name} of shape {shape} has {len(values)} values")
    if dtype in _HALVES:
        bits = torch.tensor([(each & 0xFFFF) - ((each & 0x8000) << 1) for each in values], dtype=torch.int16)
        return bits.view(dtype).reshape(shape)
    try:
        return torch.tensor(list(values), dtype=dtype).reshape(shape)
    except (OverflowError, RuntimeError) as error:
        raise MalformedFileError(f"{name} has a value that its type cannot hold") from error


def number_operator(call: OnnxCall) -> Numbers | torch.Tensor | None:
    """Return what an operator on sizes gives; None where this is none, or not on sizes."""
    if call.operator == "Shape":
        return _known(_shape(call))
    translator = _OPERATORS.get(call.operator)
    if translator is None or (call.operator in _MOVES and isinstance(call.inputs[0], torch.Tensor)):
        return None
    numbers = [as_numbers(each) for each in call.inputs]
    if not numbers or any(each is None for each in numbers):
        return None
    return _known(tuple(translator(call, [each for each in numbers if each is not None])))


def _known(values: tuple[Any, ...]) -> Numbers | torch.Tensor:
    """Return numbers as a constant, where all of them are known."""
    return torch.tensor(values, dtype=torch.int64) if all(isinstance(each, int) for each in values) else Numbers(values)


def _shape(call: OnnxCall) -> tuple[Any, ...]:
    (given,) = call.inputs
    if isinstance(given, Value):
        sizes: tuple[Any, ...] = tuple(call.network.size(given.node, axis) for axis in given.order)
    elif isinstance(given, torch.Tensor):
        sizes = tuple(given.shape)
    else:
        sizes = (len(given.values),) if given is not None else ()
    return sizes[slice(call.attribute("start", 0), call.attributes.get("end"))]


def _gather(call: OnnxCall, numbers: list[list[Any]]) -> list[Any]:
    return [numbers[0][each] for each in numbers[1]]


def _slice(call: OnnxCall, numbers: list[list[Any]]) -> list[Any]:
    (start,), (end,) = call.integers(1, "starts") or [0], call.integers(2, "ends") or [len(numbers[0])]
    return numbers[0][start : end : (call.integers(4, "steps") or [1])[0]]


def _joined(call: OnnxCall, numbers: list[list[Any]]) -> list[Any]:
    joined = [each for part in numbers for each in part]
    if len(joined) > NUMBERS_MAXIMUM:
        raise call.unsupported(f"a list of {len(joined)} numbers", f"at most {NUMBERS_MAXIMUM}")
    return joined


def _repeated(call: OnnxCall, numbers: list[list[Any]]) -> list[Any]:
    (sizes,) = numbers
    value = call.attributes.get("value", torch.zeros(1))
    count = math.prod(sizes) if all(isinstance(each, int) for each in sizes) else NUMBERS_MAXIMUM + 1
    if not 0 <= count <= NUMBERS_MAXIMUM or not isinstance(value, torch.Tensor) or value.numel() != 1:
        raise call.unsupported("a constant of a computed shape", f"at most {NUMBERS_MAXIMUM} numbers")
    return [int(value)] * count


def _product(call: OnnxCall, numbers: list[list[Any]]) -> list[Any]:
    result: Any = 1
    for each in numbers[0]:
        result = _computed(call, "mul", result, each)
    return [result]


def _elementwise(name: str) -> Callable[[OnnxCall, list[list[Any]]], list[Any]]:
    def translate(call: OnnxCall, numbers: list[list[Any]]) -> list[Any]:
        first, second = numbers
        length = max(len(first), len(second))
        first, second = (each * length if len(each) == 1 else each for each in (first, second))
        return [_computed(call, name, *pair) for pair in zip(first, second, strict=True)]

    return translate


def _computed(call: OnnxCall, name: str, first: Any, second: Any) -> Any:
    if isinstance(first, int) and isinstance(second, int):
        return ARITHMETIC[name](first, second)
    return call.network.call(ARITHMETIC[name], first, second)


# On constants these are done as on any tensor.
_MOVES = ("Cast", "Identity", "Unsqueeze", "Squeeze", "Reshape", "Slice")
_OPERATORS: dict[str, Callable[[OnnxCall, list[list[Any]]], list[Any]]] = {
    "Gather": _gather,
    "Slice": _slice,
    "Concat": _joined,
    "ConstantOfShape": _repeated,
    "ReduceProd": _product,
    "Add": _elementwise("add"),
    "Sub": _elementwise("sub"),
    "Mul": _elementwise("mul"),
    "Div": _elementwise("floordiv"),
    **dict.fromkeys(("Cast", "Identity", "Unsqueeze", "Squeeze", "Reshape"), lambda call, numbers: numbers[0]),
}
