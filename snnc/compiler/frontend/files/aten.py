"""PyTorch's operators, as torch.export and TorchScript write them down, in the functions of the table of operations.

Both formats name the same operators (ATen's) with the same arguments; https://github.com/pytorch/pytorch/blob/main/
aten/src/ATen/native/native_functions.yaml lists them. Most have the names and arguments of their function, so the row
of the table says all; here stand those that have others.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.fx
import torch.nn.functional as F

from snnc.compiler.frontend.files.assembly import ARITHMETIC, Assembly
from snnc.compiler.frontend.operations.table import aten_operator, bounding_operator

__all__ = ["Operators", "Unknown", "keep"]


@dataclass(frozen=True)
class Unknown:
    """A value that no tensor may depend on: whatever reads it says so.

    Attributes:
        source: What gave it.
    """

    source: str


def keep(values: dict[str, Any], names: Sequence[str], result: Any) -> None:
    """Note what an operator gives, under the names of its outputs.

    Args:
        values: Values by name; added to.
        names: Of the outputs.
        result: What ``Operators.apply`` returned. One value where several are expected: the rest is unknown.
    """
    results = result if isinstance(result, tuple) else (result,)
    for position, name in enumerate(names):
        value = results[position] if position < len(results) else None
        values[name] = Unknown("a second value") if value is None else value


# An operator's arguments by their names in its schema; those left out have their defaults.
Arguments = Mapping[str, Any]
# The value, or those of an operator that gives several.
Translator = Callable[["Operators", Arguments], Any]


@dataclass(frozen=True)
class Operators:
    """Translates operators, one after the other, into calls.

    Attributes:
        network: Takes the calls.
        batch: Number of samples that the file was written for, where its shapes hold it as a number; else None.
    """

    network: Assembly
    batch: int | None = None

    def apply(self, name: str, given: Arguments) -> Any:
        """Return what an operator gives: a node; a tensor where it only rearranges parameters; or a tuple of these.

        Args:
            name: The operator, without ``aten`` and overload: ``conv2d``.
            given: Its arguments.

        Raises:
            UnsupportedError: It cannot be compiled.
        """
        translator = _TRANSLATORS.get(name)
        return self.plain(name, given) if translator is None else translator(self, given)

    def plain(self, name: str, given: Arguments) -> Any:
        """Return what an operator gives that has the names and arguments of its function.

        Args:
            name: The operator.
            given: Its arguments; those that the function has not do not matter.

        Raises:
            UnsupportedError: The table has no such operator.
        """
        row = aten_operator(name)
        if row is None:
            kind = name.rstrip("_") or name
            raise self.network.place.unsupported(f"{kind} is not supported", kind=kind)
        # In place, where one of the functions is called so.
        function = next((each for each in row.functions if each.__name__ == name), row.function)
        named = {each: given[each] for each in row.parameters if each in given}
        if not named.get("stride", True):
            del named["stride"]  # an empty list: that of the window
        return self.network.call(function, _tensor(given), **named)

    def arithmetic(self, name: str, first: Any, second: Any) -> Any:
        """Return what arithmetic on sizes gives: a number, or a node of one that is known once the network runs.

        Args:
            name: ``add``, ``sub``, ``mul`` or ``floordiv``.
            first: A number or such a node.
            second: The same.

        Raises:
            UnsupportedError: It is another operation, or not on sizes.
        """
        function = ARITHMETIC.get(name)
        if function is None or not all(isinstance(each, int | torch.fx.Node) for each in (first, second)):
            raise self.network.place.unsupported(f"{name} of sizes is not supported", ", ".join(ARITHMETIC))
        if isinstance(first, int) and isinstance(second, int):
            return function(first, second)
        return self.network.call(function, first, second)

    def reshape(self, tensor: Any, sizes: list[Any]) -> Any:
        """Return a tensor in another shape; the number of samples stays open, whatever the file was written for."""
        if isinstance(tensor, torch.Tensor):
            return tensor.reshape(sizes)
        if sizes and self.batch is not None and sizes[0] == self.batch:
            sizes = [self.network.size(tensor, 0), *sizes[1:]]
        return self.network.call(torch.reshape, tensor, sizes)


def _tensor(given: Arguments) -> Any:
    """Return an operator's first argument, which schemas call by several names."""
    return given[next((name for name in ("input", "tensors") if name in given), "self")]


def _same(operators: Operators, given: Arguments) -> Any:
    return _tensor(given)


def _clone(operators: Operators, given: Arguments) -> Any:
    tensor = given["self"]
    # A copy of its own: what is written into one of the two must not show in the other.
    return tensor if isinstance(tensor, torch.Tensor) else operators.network.call(torch.clone, tensor)


def _convolution(operators: Operators, given: Arguments) -> Any:
    return operators.plain("conv_transpose2d" if given.get("transposed", False) else "conv2d", given)


def _addmm(operators: Operators, given: Arguments) -> Any:
    if given.get("beta", 1) != 1 or given.get("alpha", 1) != 1:
        raise operators.network.place.unsupported("addmm with alpha or beta", "alpha=1, beta=1")
    return _product(operators, given["mat1"], given["mat2"], given["self"])


def _matmul(operators: Operators, given: Arguments) -> Any:
    return _product(operators, given["self"], given["other"] if "other" in given else given["mat2"], None)


def _product(operators: Operators, tensor: Any, weight: Any, bias: Any) -> Any:
    if not isinstance(weight, torch.Tensor) or weight.dim() != 2:
        raise operators.network.place.unsupported("matmul of two computed values is not supported", kind="matmul")
    return operators.plain("linear", {"input": tensor, "weight": weight.t(), "bias": bias})


def _batch_norm(operators: Operators, given: Arguments) -> Any:
    if given.get("training", False):
        raise operators.network.place.unsupported(
            "batch normalisation normalises by the batch here",
            "running statistics",
            advice="call network.eval() before the network is exported",
        )
    return operators.plain("batch_norm", given)


def _dropout(operators: Operators, given: Arguments) -> Any:
    if given.get("train", True):
        raise operators.network.place.unsupported(
            "dropout is active here", "a network without it", advice="call network.eval() before it is exported"
        )
    return _tensor(given)


def _bounded(operators: Operators, given: Arguments) -> Any:
    row = bounding_operator(given.get("min_val", -1), given.get("max_val", 1))
    if row is None:
        raise operators.network.place.unsupported("hardtanh is not supported", kind="hardtanh")
    return operators.network.call(row.function, given["self"])


def _reshape(operators: Operators, given: Arguments) -> Any:
    return operators.reshape(_tensor(given), list(given["size"] if "size" in given else given["shape"]))


def _transpose(operators: Operators, given: Arguments) -> Any:
    tensor = given["self"]
    if not isinstance(tensor, torch.Tensor):
        raise operators.network.place.unsupported("transpose is not supported", kind="transpose")
    if "dims" in given:
        return tensor.permute(given["dims"])
    return tensor.transpose(given["dim0"], given["dim1"]) if "dim0" in given else tensor.t()


def _add(operators: Operators, given: Arguments) -> Any:
    alpha = given.get("alpha", 1)
    scale = {} if alpha == 1 else {"alpha": alpha}
    return operators.network.call(torch.add, given["self"], given["other"], **scale)


def _add_in_place(operators: Operators, given: Arguments) -> Any:
    if given.get("alpha", 1) != 1:
        return _add(operators, given)
    return operators.network.call(operator.iadd, given["self"], given["other"])


def _slice(operators: Operators, given: Arguments) -> Any:
    axis = given.get("dim", 0)
    if not isinstance(axis, int) or axis < 0:
        raise operators.network.place.unsupported("a slice over an axis counted from the end", "axes 1, 2 and 3")
    last = given.get("end")
    # Up to the end is written as the largest number.
    end = None if isinstance(last, int) and last >= 2**62 else last
    taken = slice(given.get("start"), end, given.get("step", 1))
    if axis == 0 and (taken.start or 0, taken.stop, taken.step) == (0, None, 1):
        return given["self"]
    return operators.network.call(operator.getitem, given["self"], (*[slice(None)] * axis, taken))


def _pad(operators: Operators, given: Arguments) -> Any:
    # A string in a file is compared here and goes no further.
    if given.get("mode", "constant") != "constant":
        raise operators.network.place.unsupported(
            "padding with other than a constant", "mode='constant'", advice="pad with zeros instead"
        )
    return operators.network.call(F.pad, given["self"], given["pad"], "constant", given.get("value"))


def _size(operators: Operators, given: Arguments) -> torch.fx.Node:
    return operators.network.size(given["self"], given["dim"])


# Operators that are not their row's function with its arguments, and those that rearrange parameters or give sizes.
_TRANSLATORS: dict[str, Translator] = {
    **dict.fromkeys(("convolution", "_convolution"), _convolution),
    "addmm": _addmm,
    **dict.fromkeys(("matmul", "mm"), _matmul),
    "batch_norm": _batch_norm,
    **dict.fromkeys(("dropout", "dropout_", "feature_dropout", "feature_dropout_", "native_dropout"), _dropout),
    "hardtanh": _bounded,
    "clone": _clone,
    **dict.fromkeys(("view", "reshape", "_unsafe_view", "_reshape_copy", "view_copy"), _reshape),
    **dict.fromkeys(("t", "transpose", "permute", "numpy_T"), _transpose),
    "add": _add,
    "add_": _add_in_place,
    "slice": _slice,
    **dict.fromkeys(("pad", "constant_pad_nd"), _pad),
    **dict.fromkeys(("size", "sym_size"), _size),
    **dict.fromkeys(("alias", "contiguous", "detach", "detach_"), _same),
}
