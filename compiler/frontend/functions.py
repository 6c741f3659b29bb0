"""Translating functions and tensor methods."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from snnc.compiler.frontend.modules import flatten, softmax
from snnc.compiler.frontend.pooling import adaptive_average_pool, average_pool
from snnc.compiler.frontend.support import Call
from snnc.compiler.ir import Identity, Operation, ReLU

Translator = Callable[[Call], Operation]


def translate_function(call: Call) -> Operation:
    """The operation of a function call such as ``F.relu(x)``.

    Raises:
        UnsupportedError: There is none.
    """
    target = call.node.target
    translator = _FUNCTIONS.get(target) if callable(target) else None
    if translator is None:
        raise call.unsupported(f"{call.title} is not supported")
    return translator(call)


def translate_method(call: Call) -> Operation:
    """The operation of a method call such as ``x.relu()``.

    Raises:
        UnsupportedError: There is none.
    """
    translator = _METHODS.get(str(call.node.target))
    if translator is None:
        raise call.unsupported(f"Tensor.{call.title} is not supported")
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
    stride = call.argument("stride", 2, None)
    return average_pool(
        call,
        kernel,
        kernel if stride is None else call.pair("stride", 2, None),
        call.pair("padding", 3, 0),
        ceil_mode=bool(call.argument("ceil_mode", 4, False)),
        count_include_pad=bool(call.argument("count_include_pad", 5, True)),
        divisor_override=call.argument("divisor_override", 6, None),
    )


def _softmax(call: Call) -> Operation:
    return softmax(call, call.argument("dim", 1, None), logarithm="log" in call.title)


_FUNCTIONS: dict[Callable[..., object], Translator] = {
    F.relu: _relu,
    F.relu_: _relu,
    torch.relu: _relu,
    torch.relu_: _relu,
    F.dropout: _dropout,
    F.dropout2d: _dropout,
    F.avg_pool2d: _average_pool,
    F.adaptive_avg_pool2d: adaptive_average_pool,
    F.softmax: _softmax,
    F.log_softmax: _softmax,
    torch.softmax: _softmax,
    torch.log_softmax: _softmax,
    torch.flatten: flatten,
    torch.reshape: flatten,
}

_METHODS: dict[str, Translator] = {
    "relu": _relu,
    "relu_": _relu,
    "flatten": flatten,
    "view": flatten,
    "reshape": flatten,
    "contiguous": _identity,
    "softmax": _softmax,
    "log_softmax": _softmax,
}
