"""NIR to Program: exactly the one that :func:`export_nir` wrote.

Weights, biases, thresholds and initial potentials are read from NIR's own fields, the rest from the metadata. What is
read is validated as any program is, and then written as a graph again, which has to be the graph of the file: so no
edge, node or number of the file is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from snnc.common.errors import FormatError, SnncError, first_line
from snnc.program.form import spiking_from_form
from snnc.program.nir.description import described
from snnc.program.nir.export import nir_graph
from snnc.program.nir.layout import KEY, VERSION, check_nir_file, looks_like_nir, nir_form, nir_package
from snnc.program.nir.rebuild import rebuilt
from snnc.program.program import Program
from snnc.program.validate import validate

__all__ = ["difference", "is_nir", "load_nir", "read_graph"]


def difference(found: Any, expected: Any) -> str | None:
    """Return the first place where a graph is another one, such as ``node layer0: v_threshold``; None if there is none.

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


is_nir = looks_like_nir


def read_graph(path: str | Path) -> Any:
    """Read a NIR file as a ``nir.NIRGraph``. No code is run, and no more memory is taken than the file has bytes for.

    Args:
        path: The file.

    Raises:
        FormatError: It is damaged, or holds what NIR's files do not.
        OptionError: The package ``nir`` is not installed.
    """
    name = str(path)
    nir = nir_package(name)
    try:
        with h5py.File(name, "r") as file:
            check_nir_file(file, name)
        # The package works out the sizes of convolutions for square kernels only, and would refuse others.
        graph = nir.read(name, type_check=False)
    except SnncError:
        raise
    except Exception as error:  # assertions, keys and types, whatever the package comes upon
        raise FormatError("is damaged, or no NIR graph", where=name, found=first_line(error)) from error
    if not isinstance(graph, nir.NIRGraph):
        raise FormatError("holds no graph", where=name, found=type(graph).__name__)
    return graph


def load_nir(path: str | Path) -> Program:
    """Read the program that a NIR file of :func:`export_nir` holds.

    Args:
        path: The file.

    Returns:
        The program that was exported: the same spikes.

    Raises:
        FormatError: The file is damaged, was not written by snnc, or was changed so that it holds no program any more.
        OptionError: The package ``nir`` is not installed.
    """
    name = str(path)
    graph = read_graph(path)
    if KEY not in graph.metadata:
        raise FormatError(
            "was not exported by snnc, so that it says nothing of T and of the input",
            where=name,
            advice="compile it: snnc compile takes NIR graphs as models",
        )
    try:
        head = described(graph.metadata)
        if head["format_version"] > VERSION:
            raise FormatError(
                "is of a newer format",
                where=name,
                expected=f"version {VERSION} or older",
                found=f"version {head['format_version']}",
                advice="update snnc",
            )
        program = spiking_from_form(rebuilt(graph, head))
        validate(program, name)
        changed = difference(graph, nir_graph(program, nir_form(head["form"])))
    except SnncError:
        raise
    except Exception as error:  # keys, types and shapes, whatever the description lacks
        raise _changed(name, first_line(error)) from error
    if changed is not None:
        raise _changed(name, changed)
    return program


def _changed(name: str, found: str) -> FormatError:
    return FormatError(
        "its graph is not what its metadata describe",
        where=name,
        found=found,
        advice="export it again; or, if it was changed on purpose, compile it as a model: snnc compile",
    )
