"""Python blocks: run in the page's namespace, or looked at."""

from __future__ import annotations

import ast
import importlib
import inspect
from typing import Any

from support.documents.blocks import Block


def run_python(block: Block, namespace: dict[str, Any]) -> None:
    """Runs a block; a traceback names the page and its line."""
    exec(compile(_placed(block), block.page, "exec"), namespace)


def check_python(block: Block) -> None:
    """Whether a block is Python, and what it takes from snnc is there and has these arguments.

    Raises:
        AttributeError, ImportError, SyntaxError, TypeError: It is not.
    """
    tree = ast.parse(_placed(block), block.page)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                _ours(alias.name)
        elif isinstance(node, ast.ImportFrom) and node.module and _is_ours(node.module):
            home = importlib.import_module(node.module)
            for alias in node.names:
                getattr(home, alias.name)
        elif isinstance(node, ast.Call) and (name := _dotted(node.func)) and _is_ours(name):
            signature = inspect.signature(_value(name))
            given = {each.arg: None for each in node.keywords if each.arg}
            signature.bind_partial(*node.args, **given)
        elif isinstance(node, ast.Attribute) and (name := _dotted(node)) and _is_ours(name):
            _value(name)


def _placed(block: Block) -> str:
    return "\n" * (block.line - 1) + block.text


def _is_ours(name: str) -> bool:
    return name.split(".")[0] == "snnc"


def _ours(name: str) -> None:
    if _is_ours(name):
        importlib.import_module(name)


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := _dotted(node.value)):
        return f"{before}.{node.attr}"
    return None


def _value(name: str) -> Any:
    first, *rest = name.split(".")
    value = importlib.import_module(first)
    for each in rest:
        value = getattr(value, each)
    return value
