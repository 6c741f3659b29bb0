"""Translating pooling, as a module or a function."""

from __future__ import annotations

from snnc.compiler.frontend.support import Call
from snnc.compiler.frontend.windows import averaging, regular_pooling
from snnc.compiler.ir import AvgPool2d, Flatten, Identity, MaxPool2d, Operation
from snnc.compiler.program.window_output import window_output

Pair = tuple[int, int]


def average_pool(
    call: Call,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    *,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: object,
) -> AvgPool2d:
    """The pooling, where it is a plain mean over windows."""
    if divisor_override is not None:
        raise call.unsupported("average pooling with divisor_override", "divisor_override=None")
    if any(padding) and not count_include_pad:
        raise call.unsupported("average pooling with count_include_pad=False and padding", "count_include_pad=True")
    _check_ceil_mode(call, "average", kernel, stride, padding, ceil_mode)
    return AvgPool2d(kernel, stride, padding)


def max_pool(
    call: Call, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, *, ceil_mode: bool, return_indices: bool
) -> MaxPool2d:
    """The pooling, where its windows are dense and lie inside the padded image."""
    if return_indices:
        raise call.unsupported("maximum pooling with return_indices=True", "return_indices=False")
    if dilation != (1, 1):
        raise call.unsupported(
            f"maximum pooling with dilation {dilation[0]}x{dilation[1]}", "dilation=1", advice="use dense windows"
        )
    _check_ceil_mode(call, "maximum", kernel, stride, padding, ceil_mode)
    return MaxPool2d(kernel, stride, padding)


def adaptive_average_pool(call: Call) -> Operation:
    """The pooling to any size; entry by entry where the windows differ."""
    shape, outputs = call.shapes[0][1:], call.shape[2:]
    if shape[1:] == outputs:
        return Identity()
    return regular_pooling(AvgPool2d, shape[1:], outputs) or averaging(shape, outputs)


def adaptive_max_pool(call: Call, *, return_indices: bool) -> Operation:
    """The pooling, where all windows have one size."""
    if return_indices:
        raise call.unsupported("maximum pooling with return_indices=True", "return_indices=False")
    inputs, outputs = call.shapes[0][2:], call.shape[2:]
    if inputs == outputs:
        return Identity()
    pooling = regular_pooling(MaxPool2d, inputs, outputs)
    if pooling is None:
        raise call.unsupported(
            f"adaptive maximum pooling from {inputs[0]}x{inputs[1]} to {outputs[0]}x{outputs[1]}, in windows of "
            "different sizes",
            "an output size that divides the input size",
            advice="use AdaptiveAvgPool2d, which may have any size, or MaxPool2d",
        )
    return pooling


def mean(call: Call) -> tuple[Operation, ...]:
    """The mean over the rows and columns of an image."""
    shape = call.shapes[0]
    given = call.argument("dim", 1, None)
    axes = (given,) if isinstance(given, int) else given if isinstance(given, tuple) else ()
    over = sorted({axis % len(shape) for axis in axes if isinstance(axis, int)})
    keep = bool(call.argument("keepdim", 2, False))
    if call.keyword("dtype", None) is not None:
        raise call.unsupported("a mean with a dtype of its own", "dtype=None")
    # Over one axis alone an image would be left with two, unless the axis is kept.
    if len(shape) != 4 or over not in ([2, 3], *([[2], [3]] if keep else [])):
        raise call.unsupported(
            f"a mean over axes {given} of shape {shape}" + (" with keepdim" if keep else ""),
            "both image axes: x.mean((2, 3))",
            advice="use AdaptiveAvgPool2d or AvgPool2d",
        )
    kernel = (shape[2] if 2 in over else 1, shape[3] if 3 in over else 1)
    pooling = AvgPool2d(kernel, kernel)
    return (pooling,) if keep else (pooling, Flatten())


def _check_ceil_mode(call: Call, kind: str, kernel: Pair, stride: Pair, padding: Pair, ceil_mode: bool) -> None:
    sizes = call.shapes[0][-2:]
    floor = tuple(window_output(*each) for each in zip(sizes, kernel, stride, padding, strict=True))
    if ceil_mode and floor != call.shape[-2:]:
        raise call.unsupported(
            f"{kind} pooling with ceil_mode=True over {sizes[0]}x{sizes[1]}",
            "windows that tile the input",
            advice="use ceil_mode=False",
        )
