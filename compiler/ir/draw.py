"""A graph as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import networkx as nx

from snnc.compiler.ir.picture import check_picture, save_picture
from snnc.compiler.ir.table import describe

if TYPE_CHECKING:
    from snnc.compiler.ir.graph import Graph

# Inches: the room for one node.
_ROW = 0.75
_COLUMN = 3.6
_LINES = "#5c6675"
# How far an edge around a node swings out.
_DETOUR = 3.5
_COLORS = {
    "Input": "#dbe7f5",
    "Output": "#dbe7f5",
    "ReLU": "#fbe3c8",
    "SpikingLayer": "#fbe3c8",
    "QuantizedLayer": "#fbe3c8",
    "Readout": "#d9efd9",
}


def draw(graph: Graph, path: str | Path) -> None:
    """Draws a graph from top to bottom, every node below all that it reads.

    Args:
        graph: The graph.
        path: The picture to write; its suffix says the format: .pdf, .png or .svg.

    Raises:
        OutputError: The suffix is another one, or the file cannot be written.
    """
    destination = check_picture(path)
    # Imported late, since matplotlib takes a while; a figure of its own leaves the user's backend alone.
    from matplotlib.figure import Figure

    places = positions(graph)
    columns = [column for column, _ in places.values()]
    rows = 1 + max(row for _, row in places.values())
    width = 1 + max(columns) - min(columns)
    figure = Figure(figsize=(_COLUMN * width, _ROW * rows))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(min(columns) - 0.5, max(columns) + 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    boxes = {
        node.name: axes.text(
            *places[node.name],
            f"{node.name}   {'×'.join(map(str, node.shape))}\n{describe(node.op)}",
            ha="center",
            va="center",
            fontsize=8,
            parse_math=False,
            bbox={"boxstyle": "round", "facecolor": _COLORS.get(node.op.kind, "#f2f3f5"), "edgecolor": _LINES},
        ).get_bbox_patch()
        for node in graph
    }
    for source, reader in graph.networkx.edges:
        rows_below = places[reader][1] - places[source][1]
        axes.annotate(
            "",
            xy=places[reader],
            xytext=places[source],
            arrowprops={
                "arrowstyle": "-|>",
                "color": _LINES,
                "patchA": boxes[source],
                "patchB": boxes[reader],
                # Where nodes lie in between, far enough to the side to pass them.
                "connectionstyle": f"arc3,rad={_DETOUR / rows_below if rows_below > 1 else 0}",
            },
        )
    save_picture(figure, destination)


def positions(graph: Graph) -> dict[str, tuple[float, float]]:
    """Column and row of each node: rows by distance from the input, columns near those of what a node reads."""
    places: dict[str, tuple[float, float]] = {}
    for row, names in enumerate(nx.topological_generations(graph.networkx)):
        wanted = {name: _mean([places[source][0] for source in graph[name].inputs]) for name in names}
        order = sorted(names, key=lambda name: (wanted[name], name))
        for place, name in enumerate(order):
            places[name] = (place - (len(order) - 1) / 2, float(row))
    return places


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
