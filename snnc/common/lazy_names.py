"""Packages whose names are imported when they are first used (PEP 562), so that importing the package takes no time."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence


def lazy_names(
    package: str, homes: Mapping[str, Sequence[str]], made: Mapping[str, Callable[[], object]] | None = None
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` for a package.

    Args:
        package: The package's ``__name__``.
        homes: For each module the public names that it defines.
        made: Names that no module defines, with what makes their values.

    Returns:
        Both functions; a name that was looked up once is an ordinary attribute of the package from then on.
    """
    home_of = {name: module for module, names in homes.items() for name in names}
    makers = made or {}

    def look_up(name: str) -> object:
        if name in makers:
            value = makers[name]()
        elif name in home_of:
            value = getattr(importlib.import_module(home_of[name]), name)
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *home_of, *makers})

    return look_up, names
