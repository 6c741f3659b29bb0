"""Translating torch.nn modules."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from snnc.compiler.frontend.activations import activation, is_activation
from snnc.compiler.frontend.shaping import flatten, softmax
from snnc.compiler.frontend.support import Call, as_pair
from snnc.compiler.frontend.weighted import batch_norm, conv2d, conv_transpose2d, linear
from snnc.compiler.frontend.windows import adaptive_average_pool, adaptive_max_pool, average_pool, max_pool, pad
from snnc.compiler.ir import Identity, Operation, ReLU

Translator = Callable[[nn.Module, Call], Operation]


def translate_module(module: nn.Module, call: Call) -> Operation:
    """The operation of a leaf module.

    Raises:
        UnsupportedError: There is none.
    """
    # The exact class: a subclass may compute something else.
    translator = _TRANSLATORS.get(type(module)) or (activation if is_activation(module) else None)
    if translator is None:
        raise call.unsupported(f"{call.kind} is not supported")
    for hooks in (module._forward_hooks, module._forward_pre_hooks):
        if hooks:
            raise call.unsupported(f"{call.kind} has a forward hook, which would be lost", "a module without hooks")
    if len(call.shapes) != 1:
        raise call.unsupported(f"{call.kind} of {len(call.shapes)} tensors", "one tensor as its input")
    return translator(module, call)


def _conv2d(module: nn.Module, call: Call) -> Operation:
    assert isinstance(module, nn.Conv2d)
    _check_padding_mode(module, call)
    return conv2d(
        call,
        module.weight,
        module.bias,
        stride=as_pair(module.stride),
        padding=module.padding,
        dilation=as_pair(module.dilation),
        groups=module.groups,
    )


def _conv_transpose2d(module: nn.Module, call: Call) -> Operation:
    assert isinstance(module, nn.ConvTranspose2d)
    _check_padding_mode(module, call)
    return conv_transpose2d(
        call,
        module.weight,
        module.bias,
        stride=as_pair(module.stride),
        padding=as_pair(module.padding),
        dilation=as_pair(module.dilation),
        groups=module.groups,
    )


def _check_padding_mode(module: nn.Conv2d | nn.ConvTranspose2d, call: Call) -> None:
    if module.padding_mode != "zeros":
        raise call.unsupported(f"padding_mode={module.padding_mode!r}", "padding_mode='zeros'")


def _linear(module: nn.Module, call: Call) -> Operation:
    assert isinstance(module, nn.Linear)
    return linear(call, module.weight, module.bias)


def _batch_norm(module: nn.Module, call: Call) -> Operation:
    assert isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
    return batch_norm(call, module.running_mean, module.running_var, module.weight, module.bias, module.eps)


def _flatten(module: nn.Module, call: Call) -> Operation:
    return flatten(call)


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


def _max_pool(module: nn.Module, call: Call) -> Operation:
    assert isinstance(module, nn.MaxPool2d)
    return max_pool(
        call,
        as_pair(module.kernel_size),
        as_pair(module.stride),
        as_pair(module.padding),
        as_pair(module.dilation),
        ceil_mode=module.ceil_mode,
        return_indices=module.return_indices,
    )


def _adaptive_average_pool(module: nn.Module, call: Call) -> Operation:
    return adaptive_average_pool(call)


def _adaptive_max_pool(module: nn.Module, call: Call) -> Operation:
    assert isinstance(module, nn.AdaptiveMaxPool2d)
    return adaptive_max_pool(call, return_indices=module.return_indices)


def _pad(module: nn.Module, call: Call) -> Operation:
    assert isinstance(module, nn.ConstantPad2d | nn.ZeroPad2d)
    return pad(call, tuple(module.padding), module.value)


def _softmax(module: nn.Module, call: Call) -> Operation:
    assert isinstance(module, nn.Softmax | nn.LogSoftmax)
    return softmax(call, module.dim, logarithm=isinstance(module, nn.LogSoftmax))


_TRANSLATORS: dict[type[nn.Module], Translator] = {
    nn.Conv2d: _conv2d,
    nn.ConvTranspose2d: _conv_transpose2d,
    nn.Linear: _linear,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.ReLU: _relu,
    nn.AvgPool2d: _average_pool,
    nn.MaxPool2d: _max_pool,
    nn.AdaptiveAvgPool2d: _adaptive_average_pool,
    nn.AdaptiveMaxPool2d: _adaptive_max_pool,
    nn.ConstantPad2d: _pad,
    nn.ZeroPad2d: _pad,
    nn.Flatten: _flatten,
    nn.Softmax: _softmax,
    nn.LogSoftmax: _softmax,
    nn.Identity: _identity,
    nn.Dropout: _identity,
    nn.Dropout1d: _identity,
    nn.Dropout2d: _identity,
}
