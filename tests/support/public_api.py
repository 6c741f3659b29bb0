"""The public Python interface, written down: every exported name with its signature, and the fields of each class.

python tests/support/public_api.py > tests/data/public_api.txt
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Iterator, Mapping, Sequence, Set
from types import GenericAlias, ModuleType
from typing import Any

# The packages whose __all__ users may rely on.
PUBLIC = ("snnc", "snnc.models", "snnc.compiler.conversion.solver")


def exported(package: str) -> dict[str, Any]:
    """What a package exports, by name; its version and the like are left out."""
    module: ModuleType = importlib.import_module(package)
    return {name: getattr(module, name) for name in sorted(module.__all__) if not name.startswith("__")}


def description() -> str:
    """All of it, one line for each name and each member."""
    return "\n".join(
        line for package in PUBLIC for name, value in exported(package).items() for line in _lines(package, name, value)
    )


def is_class(value: Any) -> bool:
    """Whether it is a class; ``Callable[...]`` says that it is one too."""
    return isinstance(value, type) and not isinstance(value, GenericAlias)


def public_members(kind: type) -> Iterator[tuple[str, Any]]:
    """Methods and properties that a class of ours defines, or inherits from another class of ours."""
    seen = {field.name for field in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else set()
    for owner in kind.__mro__:
        if not owner.__module__.startswith("snnc"):
            continue
        for name, member in vars(owner).items():
            if name.startswith("_") or name in seen or inspect.isclass(member):
                continue
            if callable(getattr(kind, name)) or isinstance(member, property) or hasattr(member, "func"):
                seen.add(name)
                yield name, member


def function_of(member: Any) -> Any:
    """The function behind a method or property."""
    for name in ("fget", "func", "__func__"):
        member = getattr(member, name, None) or member
    return member


def _lines(package: str, name: str, value: Any) -> Iterator[str]:
    place = f"{package}.{name}"
    if is_class(value):
        bases = ", ".join(base.__name__ for base in value.__bases__ if base is not object)
        yield f"class {place}({bases})" if bases else f"class {place}"
        if dataclasses.is_dataclass(value):
            for field in dataclasses.fields(value):
                yield f"    {field.name}: {field.type}{_default(field)}"
        else:
            yield f"    __init__{_signature(value.__init__)}"
        for each, member in sorted(public_members(value)):
            found = function_of(member)
            mark = "" if callable(getattr(value, each)) else " (property)"
            yield f"    {each}{_signature(found)}{mark}"
    elif inspect.isfunction(value):
        yield f"{place}{_signature(value, lines=True)}"
    else:
        yield f"{place} = {_constant(value)}"


def _signature(function: Any, *, lines: bool = False) -> str:
    signature = inspect.signature(function)
    parts: list[str] = []
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        mark = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        text = f"{mark}{name}"
        if parameter.annotation is not parameter.empty:
            text += f": {_annotation(parameter.annotation)}"
        if parameter.default is not parameter.empty:
            text += f" = {parameter.default!r}"
        parts.append(text)
    returned = _annotation(signature.return_annotation)
    if lines:
        return "".join(["(\n", *(f"    {each},\n" for each in parts), f") -> {returned}"])
    return f"({', '.join(parts)}) -> {returned}"


def _annotation(value: Any) -> str:
    """As it is written in the source."""
    return value if isinstance(value, str) else inspect.formatannotation(value)


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return f" = {field.default!r}"
    return " = ..." if field.default_factory is not dataclasses.MISSING else ""


def _constant(value: Any) -> str:
    # Of a table only what it has entries for; of a type its form.
    return ", ".join(map(str, value)) if isinstance(value, Mapping | Sequence | Set) else str(value)


if __name__ == "__main__":
    print(description())
