"""The table of operations, and what errors and the documentation read from it.

One row describes an operation: the names by which torch.nn, torch.nn.functional, tensors, aten and ONNX call it, its
parameters with their defaults (those of the function that builds it), what has to hold, and what it becomes. Rows stand
in the files of this package, one file a family; to add an operation, add its row.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import nn

from snnc.common.errors import UnsupportedError

Builder = TypeVar("Builder", bound=Callable[..., Any])


@dataclass(eq=False)
class Operator:
    """A row: one operation of PyTorch. It decorates the function that builds the operation, and so enters the table.

    Attributes:
        modules: Classes of torch.nn; the class itself, not its subclasses, which may compute something else.
        functions: Functions; what a file describes is put together from the first one.
        methods: Names of tensors' methods.
        aten: Names in PyTorch's library of operators, as torch.export and TorchScript have them.
        onnx: Names of ONNX's operators.
        attributes: For a parameter, the attribute of the module that holds it, where it is not called the same.
        recognises: Whether a module of another class is it.
        reads_several: Whether it reads several tensors, or parameters; it checks them itself.
        bounds: The lowest and highest value, of an operation that cuts off what lies beyond and does nothing else.
        listed: Names in the list of supported modules.
        listed_call: What the list of supported calls says.
        conditions: What the documentation says of it; None: it is not shown there.
        build: Makes the operations of the graph. It takes the ``Call`` and then the call's arguments after the
            tensor, by PyTorch's names and in PyTorch's order, with PyTorch's defaults; those given by name only come
            last. Arguments that it does not take do not matter.
    """

    modules: tuple[type[nn.Module], ...] = ()
    functions: tuple[Callable[..., Any], ...] = ()
    methods: tuple[str, ...] = ()
    aten: tuple[str, ...] = ()
    onnx: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    recognises: Callable[[nn.Module], bool] | None = None
    reads_several: bool = False
    bounds: tuple[float, float] | None = None
    listed: tuple[str, ...] = ()
    listed_call: str | None = None
    conditions: str | None = None
    build: Callable[..., Any] = field(init=False)

    def __call__(self, build: Builder) -> Builder:
        """Put the operation that a function builds into the table.

        Raises:
            ValueError: Another row has one of its names.
        """
        self.build = build
        tables: tuple[tuple[dict[Any, Operator], tuple[Any, ...]], ...] = (
            (_BY_MODULE, self.modules),
            (_BY_FUNCTION, self.functions),
            (_BY_METHOD, self.methods),
            (_BY_ATEN, self.aten),
            (_BY_ONNX, self.onnx),
        )
        for table, names in tables:
            for name in names:
                if table.setdefault(name, self) is not self:
                    raise ValueError(f"two rows describe {name}")
        OPERATORS.append(self)
        return build

    @property
    def function(self) -> Callable[..., Any]:
        """The function that files are read into."""
        return self.functions[0]

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The arguments after the tensor, in order."""
        return tuple(each.name for each in self._described if each.kind is not each.KEYWORD_ONLY)

    @cached_property
    def _described(self) -> tuple[inspect.Parameter, ...]:
        return tuple(inspect.signature(self.build).parameters.values())[1:]

    def of_call(self, arguments: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters in a call of a function or method.

        Args:
            arguments: Its positional arguments, the tensor first.
            named: The others.
        """
        given = dict(zip(self.parameters, arguments[1:], strict=False))
        given.update((each.name, named[each.name]) for each in self._described if each.name in named)
        return given

    def of_module(self, module: nn.Module) -> dict[str, Any]:
        """Return the parameters that a module's attributes give."""
        names = {each.name: self.attributes.get(each.name, each.name) for each in self._described}
        return {name: getattr(module, attribute) for name, attribute in names.items() if hasattr(module, attribute)}


OPERATORS: list[Operator] = []
_BY_MODULE: dict[type[nn.Module], Operator] = {}
_BY_FUNCTION: dict[Callable[..., Any], Operator] = {}
_BY_METHOD: dict[str, Operator] = {}
_BY_ATEN: dict[str, Operator] = {}
_BY_ONNX: dict[str, Operator] = {}
# What to do instead of what is not in the table, by names as _plain() makes them.
_INSTEAD: dict[str, str] = {}


def advise(advice: str, *kinds: str) -> None:
    """Say what works instead of operations that are not in the table.

    Args:
        advice: What to do.
        *kinds: Their names, in lower case and without underscores.
    """
    _INSTEAD.update(dict.fromkeys(kinds, advice))


def module_operator(module: nn.Module) -> Operator | None:
    """Return the row of a module; None where there is none."""
    found = _BY_MODULE.get(type(module))
    return found or next((each for each in OPERATORS if each.recognises and each.recognises(module)), None)


def function_operator(function: object) -> Operator | None:
    """Return the row of a function; None where there is none."""
    return _BY_FUNCTION.get(function) if callable(function) else None


def method_operator(name: str) -> Operator | None:
    """Return the row of a tensor's method; None where there is none."""
    return _BY_METHOD.get(name)


def aten_operator(name: str) -> Operator | None:
    """Return the row of an operator of aten, named without its overload; None where there is none."""
    return _BY_ATEN.get(name)


def onnx_operator(name: str) -> Operator | None:
    """Return the row of an operator of ONNX; None where there is none."""
    return _BY_ONNX.get(name)


def bounding_operator(lowest: object, highest: object) -> Operator | None:
    """Return the row of what cuts values off at two bounds; a highest one that no float32 exceeds is none."""
    if not isinstance(lowest, int | float) or not isinstance(highest, int | float):
        return None
    highest = torch.inf if highest >= torch.finfo(torch.float32).max else highest
    return next((each for each in OPERATORS if each.bounds == (lowest, highest)), None)


def supported() -> str:
    """Return the list of what is supported, as advice."""
    modules = ", ".join(name for each in OPERATORS for name in each.listed)
    calls = ", ".join(each.listed_call for each in OPERATORS if each.listed_call)
    return f"supported: {modules} and their functional forms; {calls}"


def advice_for(kind: str) -> str:
    """Return what to do about something that cannot be compiled: what works instead, and what is supported.

    Args:
        kind: The module's class or the function's name.
    """
    instead = _INSTEAD.get(_plain(kind))
    return f"{instead}; {supported()}" if instead else supported()


# Places that one error lists.
_PLACES_AT_MOST = 10


def together(errors: Sequence[UnsupportedError]) -> UnsupportedError:
    """Return one error for everything that cannot be compiled, each problem with all its places.

    Args:
        errors: At least one, in the order of the network; what of their advice is the list of all that is supported
            stands once, at the end.
    """
    if len(errors) == 1:
        return errors[0]
    listing = supported()
    places: dict[str, list[str]] = {}
    for each in errors:
        advice = (each.advice or "").removesuffix(listing).removesuffix("; ")
        text = UnsupportedError(each.problem, expected=each.expected, found=each.found, advice=advice)
        places.setdefault(str(text), []).append(each.where or "the network")
    left, said = _PLACES_AT_MOST, []
    for problem, where in places.items():
        if left > 0:
            said.append(f"{', '.join(where[:left])}: {problem}")
        left -= len(where)
    if left < 0:
        said.append(f"and {-left} more")
    return UnsupportedError(
        f"{len(errors)} places cannot be compiled: {'; '.join(said)}",
        advice=listing if any((each.advice or "").endswith(listing) for each in errors) else None,
    )


def _plain(kind: str) -> str:
    """Return one name for ``LeakyReLU``, ``leaky_relu`` and ``leaky_relu_``."""
    return kind.lower().replace("_", "")


_WRITTEN = {"add": "x + y", "iadd": "x += y", "getitem": "x[...]"}


def documented() -> list[tuple[str, str, str]]:
    """Return the table of docs/models.md: modules, functions and methods; ONNX's operators; conditions."""
    return [(_names(each), ", ".join(each.onnx), each.conditions) for each in OPERATORS if each.conditions is not None]


def _names(row: Operator) -> str:
    names = [each.__name__ for each in row.modules] or [f"snnc.models.{name}" for name in row.listed]
    names += dict.fromkeys(_written(each) for each in row.functions)
    names += [f"x.{each}()" for each in row.methods if not each.startswith("__")]
    return ", ".join(f"`{each}`" for each in names)


def _written(function: Callable[..., Any]) -> str:
    name = function.__name__
    if function is getattr(F, name, None):
        return f"F.{name}"
    return f"torch.{name}" if function is getattr(torch, name, None) else _WRITTEN.get(name, name)
