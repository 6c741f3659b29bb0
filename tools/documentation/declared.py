"""An extension of griffe: what functions and classes get of the options that they declare, it shows as Python has it.

A function that :func:`snnc.common.signatures.called_with` decorates is called with other parameters than its source
says, and :func:`snnc.common.signatures.documented` adds to the docstring of a class. Griffe reads sources alone.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from typing import Any

import griffe

_KINDS = {
    inspect.Parameter.POSITIONAL_OR_KEYWORD: griffe.ParameterKind.positional_or_keyword,
    inspect.Parameter.KEYWORD_ONLY: griffe.ParameterKind.keyword_only,
}


# What declares an option.
_DECLARING = ("option", "inherited")


class Declared(griffe.Extension):
    """Takes signatures and docstrings from the imported package."""

    def on_function(self, *, func: griffe.Function, **_others: Any) -> None:
        """Give a function the parameters and the docstring that it is called with."""
        if not _has(func, "called_with"):
            return
        real = _imported(func)
        func.parameters = griffe.Parameters(
            *(_parameter(each, func) for each in inspect.signature(real).parameters.values())
        )
        func.docstring = _docstring(func, real)

    def on_class(self, *, cls: griffe.Class, **_others: Any) -> None:
        """Give a class of options the docstring that describes them."""
        if _has(cls, "documented"):
            cls.docstring = _docstring(cls, _imported(cls))

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_others: Any) -> None:
        """Show the default of an option in place of what declares it."""
        value = attr.value
        if isinstance(value, griffe.ExprCall) and str(value.function) in _DECLARING and attr.parent is not None:
            attr.value = repr(getattr(_imported(attr.parent), attr.name))


def _has(found: griffe.Function | griffe.Class, decorator: str) -> bool:
    return any(str(each.value).partition("(")[0] == decorator for each in found.decorators)


def _imported(found: griffe.Object) -> Any:
    return getattr(importlib.import_module(found.module.path), found.name)


def _docstring(found: griffe.Object, real: Any) -> griffe.Docstring:
    before = found.docstring
    line = before.lineno if before else None
    options = before.parser_options if before else {}
    return griffe.Docstring(
        inspect.getdoc(real) or "", lineno=line, parent=found, parser=griffe.Parser.google, parser_options=options
    )


def _parameter(each: inspect.Parameter, function: griffe.Function) -> griffe.Parameter:
    has_default = each.default is not inspect.Parameter.empty
    annotation = ast.parse(str(each.annotation), mode="eval").body
    return griffe.Parameter(
        each.name,
        annotation=griffe.safe_get_annotation(annotation, parent=function.module),
        kind=_KINDS[each.kind],
        default=repr(each.default) if has_default else None,
    )
