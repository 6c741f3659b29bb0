"""Whether two graphs of NIR are equal, and where they are not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["difference"]


def difference(found: Any, expected: Any) -> str | None:
    """The first place where a graph is another one, such as ``node layer0: v_threshold``; None if there is none.

    Args:
        found: A ``nir.NIRGraph``.
        expected: Another one.
    """
    for name in sorted({*found.nodes, *expected.nodes}):
        if name not in found.nodes or name not in expected.nodes:
            return f"node {name}"
        place = _place(found.nodes[name].to_dict(), expected.nodes[name].to_dict())
        if place is not None:
            return f"node {name}: {place}"
    if sorted(map(tuple, found.edges)) != sorted(expected.edges):
        return "edges"
    return None if _place(found.metadata, expected.metadata) is None else "metadata"


def _place(found: Mapping[str, Any], expected: Mapping[str, Any]) -> str | None:
    for key in sorted({*found, *expected}):
        if key not in found or key not in expected or not _same(found[key], expected[key]):
            return key
    return None


def _same(found: Any, expected: Any) -> bool:
    if isinstance(found, Mapping) and isinstance(expected, Mapping):
        return _place(found, expected) is None
    if isinstance(found, str) or isinstance(expected, str):
        return bool(found == expected)
    return np.array_equal(np.asarray(found), np.asarray(expected))
