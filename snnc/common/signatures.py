"""Signatures and docstrings of functions and classes, made of the options that they take."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from snnc.common.options import Option, options_of

__all__ = ["called_with", "documented"]

_WIDTH = 120
Options = TypeVar("Options")


def documented(kind: type[Options]) -> type[Options]:
    """Write the options of a dataclass into its docstring, as its attributes."""
    own = _parsed(inspect.getdoc(kind) or "", "Attributes")
    entries = {each.name: _sentence(each) for each in options_of(kind)}
    names = [field.name for field in _fields(kind)]
    kind.__doc__ = _composed(own, "Attributes", {**entries, **own.entries}, names)
    return kind


def _sentence(option: Option) -> str:
    return option.help if option.usual is None else f"{option.help} {_none(option)}: {option.usual}."


def _none(option: Option) -> str:
    return "None" if option.default is None else "Empty"


P = ParamSpec("P")
Call = TypeVar("Call")
Result = TypeVar("Result")


def called_with(call: Callable[P, Call]) -> Callable[[Callable[[Call], Result]], Callable[P, Result]]:
    """Give a function the signature of a dataclass, whose instances it takes.

    Args:
        call: The dataclass: a verb's options and, in a class derived from them, the arguments that are none. Where it
            has a field ``options``, these are what counts for options that are not given singly.

    Returns:
        A decorator for a function of one argument, of this class. What it makes is called with the fields of the class;
        its docstring describes those of them that that of the function leaves out.
    """
    # A class is what makes its instances; type checkers take its constructor's parameters.
    fields = {field.name: field for field in _fields(call)}
    known = {each.name: each for each in options_of(call)}
    former = {old: each.name for each in known.values() for old in each.old}
    former |= {old: name for name, field in fields.items() for old in field.metadata.get("old", ())}

    def decorate(function: Callable[[Call], Result]) -> Callable[P, Result]:
        @functools.wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> Result:
            values: dict[str, Any] = {former.get(name, name): value for name, value in kwargs.items()}
            if len(values) < len(kwargs):
                twice = next(name for name in kwargs if former.get(name) in kwargs)
                raise TypeError(f"{function.__name__}() got {former[twice]} twice: {twice} is its former name")
            try:
                whole = signature.bind(*args, **values).arguments.get("options")
            except TypeError as error:
                raise TypeError(f"{function.__name__}() {error}") from None
            if whole is not None:
                values = {**{name: getattr(whole, name) for name in known if hasattr(whole, name)}, **values}
            return function(call(*args, **values))

        parameters = [_parameter(field) for field in fields.values()]
        parameters.sort(key=lambda each: each.kind)
        returned = inspect.signature(function).return_annotation
        signature = inspect.Signature(parameters, return_annotation=returned)
        own = _parsed(inspect.getdoc(function) or "", "Args")
        entries = {each.name: _sentence(each) for each in known.values()}
        called.__doc__ = _composed(own, "Args", {**entries, **own.entries}, [each.name for each in parameters])
        called.__signature__ = signature  # type: ignore[attr-defined]
        called.__annotations__ = {each.name: each.annotation for each in parameters} | {"return": returned}
        del called.__wrapped__
        return called

    return decorate


def _fields(kind: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(kind)


def _parameter(field: dataclasses.Field[Any]) -> inspect.Parameter:
    default = inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default
    kind = inspect.Parameter.KEYWORD_ONLY if field.kw_only else inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Parameter(field.name, kind, default=default, annotation=field.type)


@dataclass(frozen=True)
class _Docstring:
    """A docstring with one of its sections taken out: what stands before and after it, and its entries."""

    before: str
    entries: Mapping[str, str]
    after: str


def _parsed(text: str, section: str) -> _Docstring:
    before, found, rest = text.partition(f"\n{section}:\n")
    if not found:
        # What other sections there are come after.
        place = re.search(r"^(Args|Attributes|Returns|Raises|Warns|Yields):$", text, re.MULTILINE)
        at = place.start() if place else len(text)
        return _Docstring(text[:at].rstrip(), {}, text[at:])
    lines, after = [], ""
    for index, line in enumerate(parts := rest.splitlines()):
        if line and not line.startswith(" "):
            after = "\n".join(parts[index:])
            break
        lines.append(line)
    entries: dict[str, str] = {}
    for line in textwrap.dedent("\n".join(lines)).splitlines():
        if entry := re.match(r"(\w+): (.*)", line):
            entries[entry[1]] = entry[2]
        elif line.strip():
            entries[next(reversed(entries))] += f" {line.strip()}"
    return _Docstring(before.rstrip(), entries, after)


def _composed(parts: _Docstring, section: str, entries: Mapping[str, str], names: Sequence[str]) -> str:
    lines = [
        textwrap.fill(
            f"{name}: {entries[name]}",
            _WIDTH - 8,
            initial_indent="    ",
            subsequent_indent="        ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for name in names
        if name in entries
    ]
    return "\n\n".join(each for each in (parts.before, "\n".join([f"{section}:", *lines]), parts.after) if each) + "\n"
