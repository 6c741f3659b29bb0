"""What errors call a node of torch.fx's graph."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable
from pathlib import Path, PureWindowsPath
from types import TracebackType

import torch
import torch.fx

from snnc.program.layer import named_place

_FRAME = re.compile(r'^  File "(?P<file>[^"\n]*)", line (?P<line>\d+), in (?P<function>.*)$', re.MULTILINE)
# Frames of these are not the user's.
_LIBRARIES = (Path(torch.__file__).parent, Path(__file__).parent)
# Under this a node's ``meta`` has the line, where a model file gives it.
LINE = "snnc_line"
# How frames begin in files that were written elsewhere, and folders of libraries there.
_FOREIGN_FRAME = re.compile(r'File "(?P<file>[^"\n]*)", line (?P<line>\d+)')
_FOREIGN_LIBRARY = re.compile(r"(^|[/\\])(site-packages|dist-packages|torch)[/\\]")
# What lies outside this function called the tracer; what lies inside it is the network.
_TRACER = ("_symbolic_trace.py", "trace")

# A file, a line in it, and the function that the line stands in.
Frame = tuple[str, int, str]


def line_of(node: torch.fx.Node) -> str | None:
    """Return the line that made a node, ``file.py:12``; None where it is not known or not the user's."""
    if node.meta.get(LINE):
        return str(node.meta[LINE])
    return _innermost((each["file"], int(each["line"]), each["function"]) for each in _frames(node.stack_trace or ""))


def foreign_line(stack: str) -> str | None:
    """Return the innermost line outside of libraries in a stack from another machine; None where there is none."""
    found = None
    # Windows paths are taken apart at both kinds of slashes.
    for frame in _FOREIGN_FRAME.finditer(stack):
        if not _FOREIGN_LIBRARY.search(frame["file"]) and not frame["file"].startswith("<"):
            found = f"{PureWindowsPath(frame['file']).name}:{frame['line']}"
    return found


def line_of_failure(trace: TracebackType | None) -> str | None:
    """Return the innermost line of the user's network in a traceback, ``file.py:12``; None where there is none."""
    return _innermost((each.filename, each.lineno or 0, each.name) for each in traceback.extract_tb(trace))


def with_line(where: str, line: str | None) -> str:
    """Return a place with the line after it, where that is known: ``block.add (model.py:12)``."""
    return f"{where} ({line})" if line else where


def _frames(stack: str) -> Iterable[re.Match[str]]:
    return _FRAME.finditer(stack)


def _innermost(frames: Iterable[Frame]) -> str | None:
    """Return the last frame of the network's own code, outermost first."""
    found = None
    for file, line, function in frames:
        if (Path(file).name, function) == _TRACER:
            found = None
        elif not file.startswith("<") and not any(library in Path(file).parents for library in _LIBRARIES):
            # The base name only: messages must not tell where somebody's files lie.
            found = f"{Path(file).name}:{line}"
    return found


# Under this a node's ``meta`` has the place that a model file gives it.
PLACE = "snnc_place"


def module_of(node: torch.fx.Node) -> str:
    """Return a module's qualified name; for a function that of the module whose forward() calls it, and its own."""
    if node.op == "call_module":
        return str(node.target)
    if node.meta.get(PLACE):
        return str(node.meta[PLACE])
    stack = node.meta.get("nn_module_stack") or {}
    path = next(reversed(stack.values()))[0] if stack else ""
    return f"{path}.{node.name}" if path else node.name


def call_name(node: torch.fx.Node) -> str:
    """Return what our graph calls it: by the module, or the function with torch.fx's number."""
    if node.meta.get(PLACE):
        return str(node.meta[PLACE]).strip("/").replace("/", ".")
    return str(node.target) if node.op == "call_module" else node.name


def place_of(node: torch.fx.Node) -> str:
    """Return the module or call, with the source line where it is known: ``layer1.0.add (resnet.py:12)``."""
    name = module_of(node)
    return with_line(named_place((name,)) if node.op == "call_module" else name, line_of(node))
