"""Translating torch.nn modules."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from snnc.compiler.frontend.activations import activation, is_activation
from snnc.compiler.frontend.pooling import adaptive_average_pool, average_pool
from snnc.compiler.frontend.support import Call, as_pair
from snnc.compiler.ir import BatchNorm, Conv2d, Flatten, Identity, Linear, Operation, ReLU, Softmax
from snnc.compiler.ir.ops import FloatArray

Translator = Callable[[nn.Module, Call], Operation]


def translate_module(module: nn.Module, call: Call) -> Operation:
    """The operation of a leaf module.

    Raises:
        UnsupportedError: There is none.
    """
    # The exact class: a subclass may compute something else.
    translator = _TRANSLATORS.get(type(module)) or (activation if is_activation(module) else None)
    kind = type(module).__name__
    if translator is None:
        raise call.unsupported(f"{kind} is not supported", kind=kind)
    for hooks in (module._forward_hooks, module._forward_pre_hooks):
        if hooks:
            raise call.unsupported(f"{kind} has a forward hook, which would be lost", "a module without hooks")
    operation = translator(module, call)
    for array in vars(operation).values():
        if isinstance(array, np.ndarray) and not np.isfinite(array).all():
            raise call.unsupported(f"{kind} holds NaN or infinite parameters", "finite numbers")
    return operation


def as_array(tensor: torch.Tensor) -> FloatArray:
    """A parameter as a float64 array."""
    array: FloatArray = tensor.detach().cpu().double().numpy()
    return array


def _conv2d(module: nn.Module, call: Call) -> Operation:
    assert isinstance(module, nn.Conv2d)
    if module.padding_mode != "zeros":
        raise call.unsupported(f"padding_mode={module.padding_mode!r}", "padding_mode='zeros'")
    if len(call.shapes[0]) != 4:
        raise call.unsupported("Conv2d on unbatched input", "shape (batch, channels, height, width)")
    if module.padding == "same":
        spans = [d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True)]
        if any(span % 2 for span in spans):
            raise call.unsupported("padding='same' with an even kernel pads unevenly", "an odd kernel")
        padding = (spans[0] // 2, spans[1] // 2)
    else:
        padding = (0, 0) if module.padding == "valid" else as_pair(module.padding)
    bias = np.zeros(module.out_channels) if module.bias is None else as_array(module.bias)
    return Conv2d(
        as_array(module.weight), bias, as_pair(module.stride), padding, as_pair(module.dilation), module.groups
    )


def _linear(module: nn.Module, call: Call) -> Operation:
    assert isinstance(module, nn.Linear)
    if len(call.shapes[0]) != 2:
        raise call.unsupported(
            f"Linear on input of shape {call.shapes[0]}", "shape (batch, features), flattened before"
        )
    bias = np.zeros(module.out_features) if module.bias is None else as_array(module.bias)
    return Linear(as_array(module.weight), bias)


def _batch_norm(module: nn.Module, call: Call) -> Operation:
    assert isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
    if module.running_mean is None or module.running_var is None:
        raise call.unsupported("batch normalisation without running statistics", "track_running_stats=True")
    if (module.running_var + module.eps <= 0).any():
        raise call.unsupported("batch normalisation with a running variance that is not positive", "numbers above 0")
    channels = module.num_features
    weight = np.ones(channels) if module.weight is None else as_array(module.weight)
    bias = np.zeros(channels) if module.bias is None else as_array(module.bias)
    return BatchNorm(as_array(module.running_mean), as_array(module.running_var), weight, bias, module.eps)


def _flatten(module: nn.Module, call: Call) -> Operation:
    return flatten(call)


def flatten(call: Call) -> Operation:
    """Flatten, where a call keeps the batch axis and joins all others."""
    (shape,) = call.shapes
    if call.shape == shape:
        return Identity()
    if call.shape != (shape[0], int(np.prod(shape[1:]))):
        raise call.unsupported(f"{call.title} from {shape} to {call.shape}", "all axes but the batch joined into one")
    return Flatten()


def _relu(module: nn.Module, call: Call) -> Operation:
    return ReLU()


def _identity(module: nn.Module, call: Call) -> Operation:
    return Identity()


def _average_pool(module: nn.Module, call: Call) -> Operation:
    assert isinstance(module, nn.AvgPool2d)
    return average_pool(
        call,
        as_pair(module.kernel_size),
        as_pair(module.stride),
        as_pair(module.padding),
        ceil_mode=module.ceil_mode,
        count_include_pad=module.count_include_pad,
        divisor_override=module.divisor_override,
    )


def _adaptive_average_pool(module: nn.Module, call: Call) -> Operation:
    return adaptive_average_pool(call)


def _softmax(module: nn.Module, call: Call) -> Operation:
    assert isinstance(module, nn.Softmax | nn.LogSoftmax)
    return softmax(call, module.dim, logarithm=isinstance(module, nn.LogSoftmax))


def softmax(call: Call, dim: object, *, logarithm: bool) -> Operation:
    """Softmax over the classes."""
    if len(call.shapes[0]) != 2 or dim not in (1, -1, None):
        raise call.unsupported(f"softmax over axis {dim} of shape {call.shapes[0]}", "the classes' axis, 1")
    return Softmax(logarithm)


_TRANSLATORS: dict[type[nn.Module], Translator] = {
    nn.Conv2d: _conv2d,
    nn.Linear: _linear,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.ReLU: _relu,
    nn.AvgPool2d: _average_pool,
    nn.AdaptiveAvgPool2d: _adaptive_average_pool,
    nn.Flatten: _flatten,
    nn.Softmax: _softmax,
    nn.LogSoftmax: _softmax,
    nn.Identity: _identity,
    nn.Dropout: _identity,
    nn.Dropout1d: _identity,
    nn.Dropout2d: _identity,
}
