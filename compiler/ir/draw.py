"""A graph as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from snnc.compiler.ir.layout import positions, routes
from snnc.compiler.ir.table import describe
from snnc.pictures import check_picture, save_picture

if TYPE_CHECKING:
    from snnc.compiler.ir.graph import Graph

# Inches: the room for one node.
_ROW = 0.75
_COLUMN = 3.6
_LINES = "#5c6675"
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
    ways = routes(graph, places)
    columns = [column for points in ways.values() for column, _ in points] + [column for column, _ in places.values()]
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
    for (source, reader), points in ways.items():
        # Lines lie below the boxes, texts and arrows above; so only the last part of a way need know a box.
        axes.plot(*zip(*points[:-1], strict=True), color=_LINES, linewidth=1, zorder=1)
        axes.annotate(
            "",
            xy=points[-1],
            xytext=points[-2],
            arrowprops={
                "arrowstyle": "-|>",
                "color": _LINES,
                "linewidth": 1,
                "patchA": boxes[source] if len(points) == 2 else None,
                "patchB": boxes[reader],
                "shrinkA": 0,
            },
        )
        times = graph[reader].inputs.count(source)
        if times > 1:
            (column, row), (last_column, last_row) = points[-2:]
            axes.text((column + last_column) / 2, (row + last_row) / 2, f"  {times}×", fontsize=8, va="center")
    save_picture(figure, destination)
