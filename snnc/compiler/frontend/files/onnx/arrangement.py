"""ONNX's operators that move values, join and select them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.fx
import torch.nn.functional as F

from snnc.compiler.frontend.files.onnx.call import CHANNELS_LAST, NUMBERS_MAXIMUM, Known, OnnxCall, Value, identity
from snnc.compiler.frontend.operations.shaping import flatten_channels_last

__all__ = ["ARRANGEMENT", "is_moved_channel"]

# Ends of slices from here on stand for the end of the axis.
_FAR = 2**31 - 1


def is_moved_channel(channels: int | None, target: list[Any]) -> int | None:
    """Return where a reshape of an image with one channel puts that channel: 1 or 3; None where it does something else.

    Converters write the transposition of such an image in this way.
    """
    if channels != 1 or len(target) != 4:
        return None
    return next((axis for axis in (1, 3) if target[axis] == 1 and target[4 - axis] != 1), None)


def _transpose(call: OnnxCall) -> Known:
    given = call.inputs[0]
    if isinstance(given, torch.Tensor):
        return given.permute(call.attribute("perm", list(range(given.dim()))[::-1]))
    value = call.value()
    order = call.attribute("perm", list(range(len(value.order)))[::-1])
    return Value(value.node, tuple(value.order[axis] for axis in order), value.channels)


def _flatten(call: OnnxCall) -> Known:
    value, axis = call.value(), call.attribute("axis", 1)
    if axis % len(value.order) != 1:
        raise call.unsupported(f"Flatten from axis {axis} on", "axis=1: all axes but the samples'")
    return _as_features(call, value)


def _as_features(call: OnnxCall, value: Value) -> Value:
    """Return an image as features, in the order in which the model counts them."""
    function: Any = {identity(len(value.order)): torch.flatten, CHANNELS_LAST: flatten_channels_last}.get(value.order)
    if function is None:
        raise call.unsupported(f"{call.operator} of axes in the order {value.order}", "channels first or last")
    arguments = (1,) if function is torch.flatten else ()
    channels = value.channels if len(value.order) == 2 else None
    return Value(call.network.call(function, value.node, *arguments), (0, 1), channels)


def _reshape(call: OnnxCall) -> Known:
    given = call.inputs[0]
    target = call.numbers(1, "shape")
    if target is None:
        raise call.unsupported("Reshape without a shape", "numbers")
    if isinstance(given, torch.Tensor):
        return given.reshape([given.shape[axis] if size == 0 else size for axis, size in enumerate(target)])
    value = call.value()
    moved = is_moved_channel(value.channels, target) if len(value.order) == 4 else None
    if moved is not None and value.order in (identity(4), CHANNELS_LAST):
        return Value(value.node, identity(4) if moved == 1 else CHANNELS_LAST, 1)
    if len(target) == 2 and len(value.order) > 2:
        value = _as_features(call, value)
    elif not value.plain:
        raise call.unsupported(f"Reshape to {len(target)} axes of axes in the order {value.order}", "features")
    sizes = [call.network.size(value.node, axis) if size == 0 else size for axis, size in enumerate(target)]
    if call.batch is not None and sizes[0] == call.batch:
        sizes[0] = call.network.size(value.node, 0)
    node = call.network.call(torch.reshape, value.node, sizes)
    return Value(node, identity(len(target)), value.channels if len(target) == len(value.order) == 2 else None)


def _squeeze(call: OnnxCall) -> Known:
    given, axes = call.inputs[0], call.integers(1, "axes")
    if isinstance(given, torch.Tensor):
        return given.squeeze() if axes is None else given.squeeze(tuple(axes))
    value = call.value()
    if axes is None or sorted(value.axis(axis) for axis in axes) != [2, 3] or len(value.order) != 4:
        raise call.unsupported(f"Squeeze of axes {axes}", "both image axes")
    # Both have length 1, so nothing is out of order.
    return Value(call.apply(value.node, start_dim=1), (0, 1), value.channels)


def _unsqueeze(call: OnnxCall) -> Known:
    given, axes = call.inputs[0], call.integers(1, "axes")
    if not isinstance(given, torch.Tensor) or axes is None:
        raise call.unsupported("Unsqueeze is not supported", advice="train on images of four axes")
    rank = given.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        given = given.unsqueeze(axis)
    return given


def _concatenate(call: OnnxCall) -> Known:
    values = [call.value(position) for position in range(len(call.inputs))]
    order = values[0].order
    if any(each.order != order for each in values):
        raise call.unsupported("Concat of values whose axes are in different orders", "one order")
    channels = [each.channels for each in values]
    axis = values[0].axis(call.attribute("axis", 1))
    node = call.network.call(torch.cat, [each.node for each in values], axis)
    known = [each for each in channels if each is not None]
    return Value(node, order, sum(known) if axis == 1 and len(known) == len(values) else None)


def _pad(call: OnnxCall) -> Known:
    value, pads, filling = call.value(), call.integers(1, "pads"), call.constant(2, "value")
    rank = len(value.order)
    axes = call.integers(3, "axes") or list(range(rank))
    if call.attribute("mode", "constant") != "constant":
        raise call.unsupported("Pad with other than a constant", "mode=constant", advice="pad with zeros instead")
    if pads is None or len(pads) != 2 * len(axes):
        raise call.unsupported(f"Pad by {pads}", "two numbers for each axis")
    sides = {value.axis(axis): (pads[index], pads[len(axes) + index]) for index, axis in enumerate(axes)}
    around = [side for axis in reversed(range(rank)) for side in sides.get(axis, (0, 0))]
    constant = float(call.attributes.get("value", 0.0)) if filling is None else float(filling)
    channels = None if value.channels is None else value.channels + sum(sides.get(1, (0, 0)))
    return Value(call.network.call(F.pad, value.node, around, "constant", constant), value.order, channels)


def _slice(call: OnnxCall) -> Known:
    given = call.inputs[0]
    starts, ends, axes = (call.integers(position, name) for position, name in enumerate(("starts", "ends", "axes"), 1))
    if starts is None or ends is None or len(starts) != len(ends):
        raise call.unsupported("Slice without starts and ends", "as many of both")
    axes = axes if axes is not None else list(range(len(starts)))
    steps = call.integers(4, "steps") or [1] * len(starts)
    if isinstance(given, torch.Tensor):
        return _slice_of_constant(call, given, [*zip(axes, starts, ends, steps, strict=True)])
    if any(step < 1 for step in steps):
        raise call.unsupported("Slice backwards", "steps from 1 on")
    value = call.value()
    ranges = [
        slice(start, None if end >= _FAR else end, step) for start, end, step in zip(starts, ends, steps, strict=True)
    ]
    return _selected(call, value, {value.axis(axis): each for axis, each in zip(axes, ranges, strict=True)})


def _slice_of_constant(call: OnnxCall, given: torch.Tensor, parts: list[tuple[int, int, int, int]]) -> torch.Tensor:
    for axis, start, end, step in parts:
        if step < 0 and given.numel() > NUMBERS_MAXIMUM:
            raise call.unsupported("Slice backwards of a large constant", "steps from 1 on")
        taken = slice(start, end, step)
        if step < 0:
            given = given.index_select(axis, torch.tensor(range(given.shape[axis])[taken]))
        else:  # a view, which takes no memory
            given = given.transpose(0, axis)[taken].transpose(0, axis)
    return given


def _selected(call: OnnxCall, value: Value, ranges: dict[int, slice]) -> Value:
    key = tuple(ranges.get(axis, slice(None)) for axis in range(len(value.order)))
    channels = value.channels if value.channels is None else len(range(value.channels)[key[1]])
    return Value(call.network.call(operator.getitem, value.node, key), value.order, channels)


def _split(call: OnnxCall) -> tuple[Known, ...]:
    value = call.value()
    axis, sizes = value.axis(call.attribute("axis", 0)), call.integers(1, "split")
    if sizes is None:
        if axis != 1 or value.channels is None:
            raise call.unsupported("Split into parts of unknown sizes", "sizes")
        part = -(-value.channels // call.outputs)
        sizes = [min(part, value.channels - part * index) for index in range(call.outputs)]
    parts, start = [], 0
    for size in sizes[: call.outputs]:
        parts.append(_selected(call, value, {axis: slice(start, start + size, 1)}))
        start += size
    return tuple(parts)


ARRANGEMENT: dict[str, Callable[[OnnxCall], Known | tuple[Known, ...]]] = {
    "Transpose": _transpose,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Concat": _concatenate,
    "Pad": _pad,
    "Slice": _slice,
    "Split": _split,
}
