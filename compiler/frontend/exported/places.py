"""Which module of the exported network an operator comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from snnc.compiler.frontend.assembly import Place, printable
from snnc.compiler.frontend.source_lines import foreign_line

__all__ = ["place_of"]

# PyTorch 2.3 writes a path as the Python that leads there: getattr(L['self'].features, '0').
_STEPS = re.compile(r"\.(\w+)|, ?'([^']+)'\)")
_LEAVES = "torch.nn.modules."
_CONTAINERS = "torch.nn.modules.container."


def place_of(metadata: Mapping[str, Any], name: str) -> Place:
    """The place that errors name: a layer's path, or that of the module whose forward() makes the call, and its name.

    Args:
        metadata: What the file says of the operator.
        name: The operator's own name.
    """
    path, kind = _innermost(str(metadata.get("nn_module_stack", "")))
    line = foreign_line(str(metadata.get("stack_trace", "")))
    if path and kind.startswith(_LEAVES) and not kind.startswith(_CONTAINERS):
        return Place(printable(path), line)
    return Place(printable(f"{path}.{name}" if path else name), line)


def _innermost(stack: str) -> tuple[str, str]:
    """Path and class of the innermost module: ``key,path,class`` for each, outermost first, ``;`` in between."""
    last = stack.rpartition(";")[2]
    _, _, rest = last.partition(",")
    path, _, kind = rest.rpartition(",")
    if path.startswith("_empty_"):
        return "", ""
    if "L[" in path:
        path = ".".join("".join(step) for step in _STEPS.findall(path))
    return path, kind
