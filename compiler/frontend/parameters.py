"""Numbers of the network as arrays."""

from __future__ import annotations

import numpy as np
import torch

from snnc.compiler.frontend.support import Call
from snnc.compiler.ir import Operation
from snnc.compiler.ir.ops import FloatArray


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
