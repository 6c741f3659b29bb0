"""Rebuilds tensors from the arguments that a model file gives, checking every one of them.

``torch._utils`` has functions of the same names; these stand in for them, so that no number from a file that nobody
trusts reaches torch unchecked: a size or stride beyond the stored values would read foreign memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

__all__ = [
    "DTYPES_BY_STORAGE",
    "MalformedFileError",
    "StorageType",
    "StoredValues",
    "rebuild_from_type",
    "rebuild_parameter",
    "rebuild_parameter_with_state",
    "rebuild_tensor",
    "storage_bytes",
]


class MalformedFileError(Exception):
    """The content of a model file contradicts itself; the message says how."""


@dataclass(frozen=True)
class StorageType:
    """Stands for a class such as ``torch.FloatStorage`` named in a file: an element type and nothing that can run."""

    dtype: torch.dtype


@dataclass(frozen=True)
class StoredValues:
    """The values of one storage: a flat tensor of shape (n,)."""

    flat: torch.Tensor


DTYPES_BY_STORAGE: dict[str, torch.dtype] = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


def storage_bytes(dtype: torch.dtype, count: int) -> int:
    """Compute the size of ``count`` values of a type, in bytes."""
    return count * torch.empty((), dtype=dtype).element_size()


def _numbers(value: object, what: str) -> tuple[int, ...]:
    if not isinstance(value, (tuple, torch.Size)) or any(type(item) is not int or item < 0 for item in value):
        raise MalformedFileError(f"a tensor's {what} is not a tuple of counts")
    return tuple(value)


def rebuild_tensor(
    storage: object,
    offset: object,
    size: object,
    stride: object,
    requires_grad: object = False,
    backward_hooks: object = None,
    metadata: object = None,
) -> torch.Tensor:
    """Make a tensor that looks at stored values.

    Args:
        storage: The values, ``StoredValues``.
        offset: Where the tensor starts, in elements.
        size: The shape, a tuple of counts.
        stride: The step of each axis in elements, as many as ``size`` has.
        requires_grad: Whether the tensor collects gradients.
        backward_hooks: Ignored: hooks are code, and have no say in a compiled network.
        metadata: Must be empty: it marks conjugated and negated complex tensors.

    Returns:
        The tensor, which shares memory with the storage and with other tensors made of it.

    Raises:
        MalformedFileError: An argument has the wrong type, or the tensor would reach outside its storage.
    """
    if not isinstance(storage, StoredValues):
        raise MalformedFileError("a tensor has no storage")
    if type(offset) is not int or offset < 0:
        raise MalformedFileError("a tensor's offset is not a count")
    shape, strides = _numbers(size, "size"), _numbers(stride, "stride")
    if len(shape) != len(strides):
        raise MalformedFileError("a tensor's size and stride have different lengths")
    if metadata:
        raise MalformedFileError("a tensor is marked as conjugated or negated")
    stored, count = storage.flat.numel(), math.prod(shape)
    last = offset + sum((length - 1) * step for length, step in zip(shape, strides, strict=True))
    # More elements than stored values means that some axis has stride 0: a few bytes that would grow to any size.
    if count > stored or (count > 0 and last >= stored):
        raise MalformedFileError(f"a tensor of shape {shape} reaches outside its storage of {stored} values")
    if count == 0:
        return torch.empty(shape, dtype=storage.flat.dtype)
    tensor = torch.empty(0, dtype=storage.flat.dtype)
    tensor.set_(storage.flat.untyped_storage(), offset, shape, strides)
    if requires_grad and tensor.is_floating_point():
        tensor.requires_grad_()
    return tensor


def rebuild_parameter(data: object, requires_grad: object, backward_hooks: object = None) -> nn.Parameter:
    """Make a parameter of a tensor.

    Args:
        data: The tensor.
        requires_grad: Whether it is trained.
        backward_hooks: Ignored: hooks are code.

    Returns:
        The parameter.

    Raises:
        MalformedFileError: ``data`` is not a tensor.
    """
    if not isinstance(data, torch.Tensor):
        raise MalformedFileError("a parameter has no tensor")
    return nn.Parameter(data.detach(), requires_grad=bool(requires_grad) and data.is_floating_point())


def rebuild_parameter_with_state(
    data: object, requires_grad: object, backward_hooks: object, state: object
) -> nn.Parameter:
    """Make a parameter of a tensor, as ``rebuild_parameter`` does, and leave out the Python attributes it carried."""
    return rebuild_parameter(data, requires_grad, backward_hooks)


def rebuild_from_type(rebuild: object, kind: object, arguments: object, state: object) -> torch.Tensor:
    """Make a tensor that carried Python attributes (``nn.Buffer`` is one), and leave the attributes out.

    Args:
        rebuild: Which function to rebuild it with: has to be ``rebuild_tensor``.
        kind: Its class: has to be ``torch.Tensor`` or ``torch.nn.Parameter``.
        arguments: The arguments of ``rebuild_tensor``, a tuple.
        state: Ignored.

    Returns:
        The tensor.

    Raises:
        MalformedFileError: Another function or class is asked for, or the arguments are wrong.
    """
    if getattr(rebuild, "build", None) is not rebuild_tensor or not isinstance(arguments, tuple):
        raise MalformedFileError("a tensor is built in an unknown way")
    tensor: torch.Tensor = rebuild_tensor(*arguments)
    if kind is nn.Parameter:
        return rebuild_parameter(tensor, tensor.requires_grad)
    if kind is not torch.Tensor:
        raise MalformedFileError("a tensor is of an unknown class")
    return tensor
