"""What errors call a node of torch.fx's graph."""

from __future__ import annotations

import torch.fx

from snnc.compiler.frontend.source_lines import line_of, with_line
from snnc.compiler.program.neuron_layer import named_place

# Under this a node's ``meta`` has the place that a model file gives it.
PLACE = "snnc_place"


def module_of(node: torch.fx.Node) -> str:
    """A module's qualified name; for a function that of the module whose forward() calls it, with the call's name."""
    if node.op == "call_module":
        return str(node.target)
    if node.meta.get(PLACE):
        return str(node.meta[PLACE])
    stack = node.meta.get("nn_module_stack") or {}
    path = next(reversed(stack.values()))[0] if stack else ""
    return f"{path}.{node.name}" if path else node.name


def call_name(node: torch.fx.Node) -> str:
    """What our graph calls it: by the module, or the function with torch.fx's number."""
    if node.meta.get(PLACE):
        return str(node.meta[PLACE]).strip("/").replace("/", ".")
    return str(node.target) if node.op == "call_module" else node.name


def place_of(node: torch.fx.Node) -> str:
    """The module or call, with the source line where it is known: ``layer1.0.add (resnet.py:12)``."""
    name = module_of(node)
    return with_line(named_place((name,)) if node.op == "call_module" else name, line_of(node))
