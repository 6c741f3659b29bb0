"""Whether a model's images have their channels last, as those of Keras have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snnc.compiler.frontend.onnx_models.arrangement import is_moved_channel
from snnc.compiler.frontend.onnx_models.call import as_numbers
from snnc.compiler.frontend.onnx_models.values import Known

__all__ = ["has_channels_last"]

_TO_CHANNELS_FIRST = [0, 3, 1, 2]
# They look at each value by itself, so the transposition may come behind them.
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
