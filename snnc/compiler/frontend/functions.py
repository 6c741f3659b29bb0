"""Translating functions and tensor methods."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from snnc.compiler.frontend.shaping import (
    add,
    concatenate,
    flatten,
    flatten_channels_last,
    get_item,
    reordered,
    softmax,
)
from snnc.compiler.frontend.support import Call
from snnc.compiler.frontend.weighted import batch_norm, conv2d, conv_transpose2d, linear, parameter, required_parameter
from snnc.compiler.frontend.windows import adaptive_average_pool, adaptive_max_pool, average_pool, max_pool, mean, pad
from snnc.compiler.ir import Identity, Operation, ReLU

# A call is one operation, or several in a row.
Operations = Operation | tuple[Operation, ...]
Translator = Callable[[Call], Operations]


def translate_function(call: Call) -> Operations:
    """The operations of a function call such as ``F.relu(x)``.

    Raises:
        UnsupportedError: There are none.
    """
    target = call.node.target
    translator = _FUNCTIONS.get(target) if callable(target) else None
    if translator is None:
        raise call.unsupported(f"{call.kind} is not supported")
    return _translate(translator, call)


def translate_method(call: Call) -> Operations:
    """The operations of a method call such as ``x.relu()``.

    Raises:
        UnsupportedError: There are none.
    """
    translator = _METHODS.get(str(call.node.target))
    if translator is None:
        raise call.unsupported(f"Tensor.{call.kind} is not supported")
    return _translate(translator, call)


def _translate(translator: Translator, call: Call) -> Operations:
    if translator in _SEVERAL:
        return translator(call)
    if call.parameters:
        raise call.unsupported(
            f"the parameter or buffer {call.parameters[0].target} is used as data",
            "only the network's input to flow through it",
        )
    if len(call.shapes) != 1:
        raise call.unsupported(f"{call.kind} of {len(call.shapes)} tensors", "one tensor as its input")
    return translator(call)


def _relu(call: Call) -> Operation:
    return ReLU()


def _identity(call: Call) -> Operation:
    return Identity()


def _dropout(call: Call) -> Operation:
    if call.argument("training", 2, True) is True:
        raise call.unsupported(
            "F.dropout without training=self.training drops at inference too", "F.dropout(x, p, self.training)"
        )
    return Identity()


def _average_pool(call: Call) -> Operation:
    kernel = call.pair("kernel_size", 1, None)
    return average_pool(
        call,
        kernel,
        _stride(call, kernel),
        call.pair("padding", 3, 0),
        ceil_mode=bool(call.argument("ceil_mode", 4, False)),
        count_include_pad=bool(call.argument("count_include_pad", 5, True)),
        divisor_override=call.argument("divisor_override", 6, None),
    )


def _max_pool(call: Call) -> Operation:
    kernel = call.pair("kernel_size", 1, None)
    return max_pool(
        call,
        kernel,
        _stride(call, kernel),
        call.pair("padding", 3, 0),
        call.pair("dilation", 4, 1),
        ceil_mode=bool(call.argument("ceil_mode", 5, False)),
        return_indices=bool(call.argument("return_indices", 6, False)),
    )


def _max_pool_with_indices(call: Call) -> Operation:
    raise call.unsupported("maximum pooling with return_indices=True", "return_indices=False")


def _stride(call: Call, kernel: tuple[int, int]) -> tuple[int, int]:
    # torch's own functions say by an empty list what those of torch.nn say by None.
    return kernel if call.argument("stride", 2, None) in (None, ()) else call.pair("stride", 2, None)


def _adaptive_max_pool(call: Call) -> Operation:
    return adaptive_max_pool(call, return_indices=bool(call.argument("return_indices", 2, False)))


def _conv2d(call: Call) -> Operation:
    return conv2d(
        call,
        required_parameter(call, "weight", 1),
        parameter(call, "bias", 2),
        stride=call.pair("stride", 3, 1),
        padding=call.argument("padding", 4, 0),
        dilation=call.pair("dilation", 5, 1),
        groups=call.number("groups", 6, 1),
    )


def _conv_transpose2d(call: Call) -> Operation:
    return conv_transpose2d(
        call,
        required_parameter(call, "weight", 1),
        parameter(call, "bias", 2),
        stride=call.pair("stride", 3, 1),
        padding=call.pair("padding", 4, 0),
        groups=call.number("groups", 6, 1),
        dilation=call.pair("dilation", 7, 1),
    )


def _linear(call: Call) -> Operation:
    return linear(call, required_parameter(call, "weight", 1), parameter(call, "bias", 2))


def _batch_norm(call: Call) -> Operation:
    if call.argument("training", 5, False) is not False:
        raise call.unsupported(
            "F.batch_norm with training=True normalises by the batch at inference too",
            "F.batch_norm(x, ..., training=self.training)",
        )
    epsilon: Any = call.argument("eps", 7, 1e-5)
    return batch_norm(
        call,
        parameter(call, "running_mean", 1),
        parameter(call, "running_var", 2),
        parameter(call, "weight", 3),
        parameter(call, "bias", 4),
        float(epsilon),
    )


def _pad(call: Call) -> Operation:
    mode = call.argument("mode", 2, "constant")
    if mode != "constant":
        raise call.unsupported(f"padding with mode={mode!r}", "mode='constant'", advice="pad with zeros instead")
    return pad(call, call.argument("pad", 1, ()), call.argument("value", 3, None))


def _softmax(call: Call) -> Operation:
    return softmax(call, call.argument("dim", 1, None), logarithm="log" in call.kind)


_FUNCTIONS: dict[Callable[..., object], Translator] = {
    F.relu: _relu,
    F.relu_: _relu,
    torch.relu: _relu,
    torch.relu_: _relu,
    F.dropout: _dropout,
    F.dropout2d: _dropout,
    F.avg_pool2d: _average_pool,
    F.max_pool2d: _max_pool,
    F.max_pool2d_with_indices: _max_pool_with_indices,
    torch.max_pool2d: _max_pool,
    F.adaptive_avg_pool2d: adaptive_average_pool,
    F.adaptive_max_pool2d: _adaptive_max_pool,
    F.adaptive_max_pool2d_with_indices: _max_pool_with_indices,
    F.conv2d: _conv2d,
    F.conv_transpose2d: _conv_transpose2d,
    F.linear: _linear,
    F.batch_norm: _batch_norm,
    F.pad: _pad,
    F.softmax: _softmax,
    F.log_softmax: _softmax,
    torch.softmax: _softmax,
    torch.log_softmax: _softmax,
    torch.flatten: flatten,
    torch.reshape: flatten,
    flatten_channels_last: reordered,
    torch.mean: mean,
    torch.clone: _identity,
    operator.add: add,
    operator.iadd: add,
    torch.add: add,
    torch.cat: concatenate,
    torch.concat: concatenate,
    torch.concatenate: concatenate,
    operator.getitem: get_item,
}

_METHODS: dict[str, Translator] = {
    "relu": _relu,
    "relu_": _relu,
    "flatten": flatten,
    "view": flatten,
    "reshape": flatten,
    "contiguous": _identity,
    "clone": _identity,
    "softmax": _softmax,
    "log_softmax": _softmax,
    "mean": mean,
    "add": add,
    "add_": add,
    "__add__": add,
    "__iadd__": add,
}

# These read several tensors, and say themselves what is wrong with one of them.
_SEVERAL = frozenset({add, concatenate, _conv2d, _conv_transpose2d, _linear, _batch_norm})
