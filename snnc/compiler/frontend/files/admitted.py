"""The complete list of what a model file may name: nothing that is not found here is ever looked up, let alone run.

Names come from a file that nobody trusts. They are compared with tables, or looked up as one plain name in a module
that torch or torchvision has already imported; they are never imported and never followed through dots.
"""

from __future__ import annotations

import importlib
import sys
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.fx
from torch import nn

from snnc.common.errors import ModelError, UntrustedModelError
from snnc.compiler.frontend.files import tensors as load_tensors
from snnc.compiler.frontend.files.tensors import DTYPES_BY_STORAGE, MalformedFileError, StorageType

__all__ = ["Maker", "check_amount", "hashable", "look_up", "untrusted"]

# Counted with repetition: a layer in which another one lies twice, in which another one lies twice, and so on.
LAYERS_MAXIMUM = 100_000
# How often the values of one storage may occur, each in tensors of its own; layers that share weights share tensors.
VIEWS_MAXIMUM = 4
# Bytes up to which tensors may share values as they like: a constant that stands for many channels.
SHARED_FREELY = 1 << 14


def check_amount(network: nn.Module) -> None:
    """Check that a network is not much more than what was read for it.

    Args:
        network: As it was read.

    Raises:
        MalformedFileError: It has more layers, or its tensors more values, than any network that was saved.
        RecursionError: A layer lies in itself.
    """
    if _layers(network, {}) > LAYERS_MAXIMUM:
        raise MalformedFileError(f"its layers lie in one another more than {LAYERS_MAXIMUM:,} times")
    taken: dict[int, int] = defaultdict(int)
    stored: dict[int, int] = {}
    for tensor in (*network.parameters(), *network.buffers()):
        storage = tensor.untyped_storage()
        taken[storage.data_ptr()] += tensor.nbytes
        stored[storage.data_ptr()] = storage.nbytes()
    # Each tensor gets values of its own once the network is converted to single precision.
    if any(size > max(SHARED_FREELY, VIEWS_MAXIMUM * stored[place]) for place, size in taken.items()):
        raise MalformedFileError("its tensors share the same values again and again")


def _layers(module: nn.Module, known: dict[int, int]) -> int:
    """Return how many layers one goes through from here, with repetition."""
    if id(module) not in known:
        known[id(module)] = 1 + sum(_layers(each, known) for each in module.children())
    return known[id(module)]


_KEY_PARTS_MAXIMUM = 16


@dataclass(frozen=True)
class Maker:
    """A harmless constructor of ours that stands in for the one a file names.

    It is not callable itself: where a file stores it instead of applying it, it can do nothing.

    Attributes:
        name: The name it stands for.
        build: Takes the arguments from the file, checks them, returns the object.
    """

    name: str
    build: Callable[..., Any]


def hashable(key: object) -> object:
    """Return a key as it is, if it is quickly hashed: tuples that hold one another, again and again, take for ever.

    Raises:
        MalformedFileError: It holds tuples or sets, or very many parts.
    """
    parts = key if isinstance(key, tuple) else (key,)
    if len(parts) > _KEY_PARTS_MAXIMUM or any(isinstance(each, (tuple, frozenset)) for each in parts):
        raise MalformedFileError("a key is made of too many parts")
    return key


def _ordered_dict(pairs: object = ()) -> OrderedDict[Any, Any]:
    if not isinstance(pairs, (list, tuple)):
        raise MalformedFileError("an OrderedDict is not made of pairs")
    return OrderedDict((hashable(key), value) for key, value in pairs)


def _set(items: object = ()) -> set[Any]:
    if not isinstance(items, (list, tuple)):
        raise MalformedFileError("a set is not made of a list")
    return set(map(hashable, items))


def _size(items: object = ()) -> torch.Size:
    if not isinstance(items, (list, tuple)) or any(type(item) is not int for item in items):
        raise MalformedFileError("a torch.Size is not made of whole numbers")
    return torch.Size(items)


def _device(kind: object, index: object = None) -> torch.device:
    # Whatever the device was, everything is read into the memory of this machine's processor.
    return torch.device("cpu")


def _bytes(text: object, encoding: object = "latin1") -> bytes:
    # Pickle protocol 2 has no bytes: it writes them as a call of _codecs.encode on a str.
    if type(text) is not str or encoding != "latin1":
        raise MalformedFileError("bytes are written in an unknown way")
    return text.encode("latin1")


_MAKERS: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): _ordered_dict,
    ("builtins", "set"): _set,
    ("_codecs", "encode"): _bytes,
    ("torch", "Size"): _size,
    ("torch", "device"): _device,
    ("torch._utils", "_rebuild_tensor"): load_tensors.rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): load_tensors.rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): load_tensors.rebuild_parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): load_tensors.rebuild_parameter_with_state,
    ("torch._tensor", "_rebuild_from_type_v2"): load_tensors.rebuild_from_type,
}

_CLASSES: dict[tuple[str, str], type] = {
    ("torch", "Tensor"): torch.Tensor,
    ("torch._tensor", "Tensor"): torch.Tensor,
    ("torch.nn.parameter", "Parameter"): nn.Parameter,
}

_DTYPE_NAMES = frozenset(
    ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]
)

# Functions that layers keep as attributes. They compute on tensors and do nothing else, and reading never calls them.
_FUNCTION_NAMES = frozenset(
    ["relu", "relu6", "gelu", "silu", "elu", "leaky_relu", "hardswish", "hardsigmoid", "hardtanh", "mish", "softplus"]
)

# What pickle protocol 2 calls modules that Python 3 renamed.
_RENAMED = {"__builtin__": "builtins", "torch.tensor": "torch._tensor"}

# Layers of snnc's own, by module. That module is imported by its name here and not by an import statement, as is
# torchvision: the compiler depends on neither.
_OWN_LAYERS: dict[str, frozenset[str]] = {
    "snnc.models.activations": frozenset(["ClippedReLU", "QCFS"]),
    "snnc.models.residual": frozenset(["PaddedShortcut", "ResidualBlock"]),
    "snnc.models.spiking.integrate_and_fire": frozenset(["IntegrateAndFire"]),
    "snnc.models.spiking.joins": frozenset(["Concatenation", "Sum"]),
    "snnc.models.spiking.network": frozenset(["SpikingNetwork"]),
}

_LAYER_PACKAGES = ("torch.nn.modules.", "torch.nn.parallel.data_parallel")
_TORCHVISION_PACKAGES = ("torchvision.models.", "torchvision.ops.")


def untrusted(name: str, where: str) -> UntrustedModelError:
    """Make the error that refuses a file, because reading it would run code.

    Args:
        name: What the file names, with its module.
        where: The file.

    Returns:
        The error, to be raised.
    """
    advice = "if you trust the file, add --trust, or else save model.state_dict() and give --arch module:factory"
    if name.startswith("torch.nn.utils."):
        advice = (
            "make the weights plain before saving (prune.remove, remove_weight_norm), or, if you trust the file, add "
            "--trust"
        )
    return UntrustedModelError(
        f"reading it would run code: it needs {name}, which is neither a tensor nor a layer of torch.nn, "
        "torchvision or snnc.models",
        where=where,
        advice=advice,
    )


def look_up(module: str, name: str, where: str) -> Any:
    """Find what a file names, among what it may name.

    Args:
        module: The module, as the file spells it.
        name: The name in the module, as the file spells it.
        where: The file, for errors.

    Returns:
        A ``Maker``, a ``StorageType``, a layer class, a dtype, a tensor class or a function of torch.nn.functional.

    Raises:
        UntrustedModelError: The name is not admitted.
        ModelError: The name is a layer that this torch does not have, or needs torchvision, which is not installed.
    """
    module = _RENAMED.get(module, module)
    full_name = f"{module}.{name}"
    key = (module, name)
    if key in _MAKERS:
        return Maker(full_name, _MAKERS[key])
    if key in _CLASSES:
        return _CLASSES[key]
    if module in ("torch", "torch.cuda", "torch.storage") and name in DTYPES_BY_STORAGE:
        return StorageType(DTYPES_BY_STORAGE[name])
    if module == "torch" and name in _DTYPE_NAMES:
        return getattr(torch, name)
    if module == "torch.nn.functional" and name in _FUNCTION_NAMES:
        return getattr(nn.functional, name)
    if module == "torch.nn.parameter" and name in ("UninitializedParameter", "UninitializedBuffer"):
        raise ModelError(
            "the network has a lazy layer without a size",
            where=where,
            advice="run the network on one batch before saving it",
        )
    if key == ("copy_reg", "_reconstructor"):
        raise ModelError(
            "was written with pickle protocol 0 or 1, which is not read",
            where=where,
            advice="save the network with torch.save(model, path), without a pickle_protocol",
        )
    if module.startswith("torch") and (name.startswith("_rebuild_") or name.endswith("Storage")):
        raise ModelError(
            "holds a tensor of a kind that is not supported",
            where=where,
            expected="dense tensors of floating-point, integer or bool values",
            found=full_name,
        )
    if module.startswith(_LAYER_PACKAGES):
        return _layer_class(module, name, where)
    if name in _OWN_LAYERS.get(module, ()):
        importlib.import_module(module)
        return _layer_class(module, name, where)
    if module.startswith(_TORCHVISION_PACKAGES):
        try:
            importlib.import_module("torchvision")
        except (ImportError, RuntimeError) as error:
            raise ModelError(
                f"the network needs {full_name}, and torchvision cannot be imported",
                where=where,
                found=str(error),
                advice="install the torchvision that belongs to your torch",
            ) from error
        return _layer_class(module, name, where)
    raise untrusted(full_name, where)


def _layer_class(module: str, name: str, where: str) -> type[nn.Module]:
    """Look up a layer class by one plain name, in a module that is already imported."""
    # vars() and not getattr(): modules may define __getattr__, which would run.
    found = vars(sys.modules[module]).get(name) if module in sys.modules else None
    if found is None and name.isidentifier():
        package = module.partition(".")[0]
        raise ModelError(
            f"the network needs {module}.{name}, which the {package} installed here does not have",
            where=where,
            found=f"{package} {sys.modules[package].__version__}",
            advice=f"install the {package} that wrote the file",
        )
    if not isinstance(found, type) or not issubclass(found, nn.Module) or found.__module__ != module:
        raise untrusted(f"{module}.{name}", where)
    # No layer: it is made of Python source that its state brings.
    if issubclass(found, torch.fx.GraphModule):
        raise untrusted(f"{module}.{name}", where)
    return found
