"""Translating average pooling, as a module or a function."""

from __future__ import annotations

from snnc.compiler.frontend.support import Call
from snnc.compiler.ir import AvgPool2d
from snnc.compiler.ir.ops import window_output


def average_pool(
    call: Call,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
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
    sizes = call.shapes[0][-2:]
    floor = tuple(window_output(*each) for each in zip(sizes, kernel, stride, padding, strict=True))
    if ceil_mode and floor != call.shape[-2:]:
        raise call.unsupported(
            f"average pooling with ceil_mode=True over {sizes[0]}x{sizes[1]}", "windows that tile the input"
        )
    return AvgPool2d(kernel, stride, padding)


def adaptive_average_pool(call: Call) -> AvgPool2d:
    """The pooling, where all windows have one size."""
    inputs, outputs = call.shapes[0][-2:], call.shape[-2:]
    if any(size % parts for size, parts in zip(inputs, outputs, strict=True)):
        raise call.unsupported(
            f"adaptive average pooling from {inputs[0]}x{inputs[1]} to {outputs[0]}x{outputs[1]}",
            "an output size that divides the input size",
        )
    kernel = (inputs[0] // outputs[0], inputs[1] // outputs[1])
    return AvgPool2d(kernel, kernel)
