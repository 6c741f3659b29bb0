"""Translating what has weights: convolutions, linear layers, batch normalisation; as modules or functions."""

from __future__ import annotations

import numpy as np
import torch

from snnc.common.arrays import FloatArray
from snnc.compiler.frontend.support import Call, as_pair
from snnc.compiler.ir import BatchNorm, Conv2d, ConvTranspose2d, Linear, Operation


def as_array(tensor: torch.Tensor) -> FloatArray:
    """A parameter as a float64 array of its own."""
    array: FloatArray = tensor.detach().cpu().to(torch.float64, copy=True).numpy()
    return array


def array_or(tensor: torch.Tensor | None, default: FloatArray) -> FloatArray:
    """A parameter as an array, or what stands for one that is absent."""
    return default if tensor is None else as_array(tensor)


def parameter(call: Call, name: str, position: int) -> torch.Tensor | None:
    """A function's argument that has to be a parameter or buffer, not a computed value; None where it is absent.

    Raises:
        UnsupportedError: It is a computed value.
    """
    value = call.argument(name, position, None)
    if value is not None and not isinstance(value, torch.Tensor):
        raise call.unsupported(
            f"{name} of {call.kind} is computed by the network", "a parameter or buffer of the module, as it is"
        )
    return value


def required_parameter(call: Call, name: str, position: int) -> torch.Tensor:
    """The same, where it must be there.

    Raises:
        UnsupportedError: It is a computed value, or absent.
    """
    value = parameter(call, name, position)
    if value is None:
        raise call.unsupported(f"{call.kind} without {name}", f"{name}: a parameter or buffer of the module")
    return value


def check_finite(operation: Operation, call: Call) -> None:
    """Refuses an operation with parameters that are no numbers.

    Raises:
        UnsupportedError: It has some.
    """
    for array in vars(operation).values():
        if isinstance(array, np.ndarray) and not np.isfinite(array).all():
            raise call.unsupported(f"{call.kind} holds NaN or infinite parameters", "finite numbers")


Pair = tuple[int, int]


def conv2d(
    call: Call,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    *,
    stride: Pair,
    padding: object,
    dilation: Pair,
    groups: int,
) -> Conv2d:
    """A convolution; ``padding`` is one integer, two, ``same`` or ``valid``."""
    _check_image(call)
    kernel = weight.shape[2:]
    if padding == "same":
        spans = [step * (size - 1) for step, size in zip(dilation, kernel, strict=True)]
        if any(span % 2 for span in spans):
            raise call.unsupported("padding='same' with an even kernel pads unevenly", "an odd kernel")
        padding = (spans[0] // 2, spans[1] // 2)
    sides = (0, 0) if padding == "valid" else as_pair(padding)
    return Conv2d(as_array(weight), array_or(bias, np.zeros(len(weight))), stride, sides, dilation, groups)


def conv_transpose2d(
    call: Call,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    *,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> ConvTranspose2d:
    """A transposed convolution; its output padding shows in the output's size, whether given or asked for."""
    _check_image(call)
    rows, columns = (
        size - ((before - 1) * step - 2 * side + spread * (length - 1) + 1)
        for size, before, step, side, spread, length in zip(
            call.shape[2:], call.shapes[0][2:], stride, padding, dilation, weight.shape[2:], strict=True
        )
    )
    shift = array_or(bias, np.zeros(weight.shape[1] * groups))
    return ConvTranspose2d(as_array(weight), shift, stride, padding, (rows, columns), dilation, groups)


def linear(call: Call, weight: torch.Tensor, bias: torch.Tensor | None) -> Linear:
    """A linear layer on features."""
    if len(call.shapes[0]) != 2:
        raise call.unsupported(
            f"{call.kind} on input of shape {call.shapes[0]}", "shape (batch, features), flattened before"
        )
    return Linear(as_array(weight), array_or(bias, np.zeros(len(weight))))


def batch_norm(
    call: Call,
    mean: torch.Tensor | None,
    variance: torch.Tensor | None,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    epsilon: float,
) -> BatchNorm:
    """Batch normalisation by running statistics."""
    if mean is None or variance is None:
        raise call.unsupported("batch normalisation without running statistics", "track_running_stats=True")
    if (variance + epsilon <= 0).any():
        raise call.unsupported("batch normalisation with a running variance that is not positive", "numbers above 0")
    ones, zeros = np.ones(len(mean)), np.zeros(len(mean))
    return BatchNorm(as_array(mean), as_array(variance), array_or(weight, ones), array_or(bias, zeros), epsilon)


def _check_image(call: Call) -> None:
    if len(call.shapes[0]) != 4:
        raise call.unsupported(f"{call.kind} on unbatched input", "shape (batch, channels, height, width)")
