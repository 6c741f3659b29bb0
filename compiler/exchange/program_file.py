"""NIR to Program: exactly the one that :func:`export_nir` wrote.

Weights, biases, thresholds and initial potentials are read from NIR's own fields, the rest from the metadata. What is
read is checked as a .net file is, and then written as a graph again, which has to be the graph of the file: so no
edge, node or number of the file is ignored.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py

from snnc.compiler.emit.reader import checked
from snnc.compiler.exchange.difference import difference
from snnc.compiler.exchange.export import nir_graph
from snnc.compiler.exchange.hostile import check_nir_file, looks_like_nir
from snnc.compiler.exchange.layout import KEY, VERSION, nir_form
from snnc.compiler.exchange.package import nir_package
from snnc.compiler.exchange.rebuild import described, rebuilt
from snnc.compiler.program import Program
from snnc.errors import FormatError, SnncError, first_line

__all__ = ["is_nir", "load_nir", "read_graph"]

is_nir = looks_like_nir


def read_graph(path: str | Path) -> Any:
    """Reads a NIR file as a ``nir.NIRGraph``. No code is run, and no more memory is taken than the file has bytes for.

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
    """Reads the program that a NIR file of :func:`export_nir` holds.

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
        program = checked(rebuilt(graph, head), name)
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
