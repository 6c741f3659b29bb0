"""How a program is written: the file format knows the programs, and says here how to write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

_writers: list[Callable[[Any, str | Path], None]] = []


def writer(function: Callable[[Any, str | Path], None]) -> Callable[[Any, str | Path], None]:
    """Register what writes programs; a decorator.

    Args:
        function: Takes a program and a path.
    """
    _writers[:] = [function]
    return function


def write(program: object, path: str | Path) -> None:
    """Write a program as a .net file; see :func:`snnc.program.net.save`."""
    _writers[0](program, path)
