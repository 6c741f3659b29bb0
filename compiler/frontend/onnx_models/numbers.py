"""Operators on sizes: exporters write ``x.view(x.size(0), -1)`` as a handful of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from snnc.compiler.frontend.onnx_models.call import NUMBERS_MAXIMUM, OnnxCall, as_numbers
from snnc.compiler.frontend.onnx_models.values import Numbers, Value
from snnc.compiler.frontend.sizes import ARITHMETIC

__all__ = ["number_operator"]


def number_operator(call: OnnxCall) -> Numbers | torch.Tensor | None:
    """What an operator on sizes gives; None where this is none, or not on sizes."""
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
    """Numbers as a constant, where all of them are known."""
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
