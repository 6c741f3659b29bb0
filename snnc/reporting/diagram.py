"""Boxes with arrows from top to bottom, each below all that it reads: graphs of operations and compiled networks."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import networkx as nx

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# What boxes are filled with.
INPUT_COLOR, SPIKING_COLOR, READOUT_COLOR, OTHER_COLOR = "#dbe7f5", "#fbe3c8", "#d9efd9", "#f2f3f5"

_LINES = "#5c6675"
_TEXT = 8.0
# Inches: the room for a line of text in a box, and above and below it; for a character in the longest line of all, and
# beside it.
_LINE, _AROUND = 0.15, 0.45
_CHARACTER, _BESIDE = 0.0625, 0.35
# In columns: what is kept free beside an arrow that passes at the edge.
_MARGIN = 0.04


@dataclass(frozen=True)
class Box:
    """A node as it is drawn.

    Attributes:
        text: What it says, in lines.
        color: What it is filled with.
        reads: Names of the boxes that arrows lead from; one that is named twice gets one arrow, marked so.
    """

    text: str
    color: str
    reads: tuple[str, ...] = ()


def diagram(boxes: Mapping[str, Box]) -> Figure:
    """Draw boxes from top to bottom, each below all that it reads.

    Args:
        boxes: At least one, by name, each after those that it reads.
    """
    (figure,) = diagram_strips(boxes)
    return figure


def diagram_strips(boxes: Mapping[str, Box], *, rows_at_most: int | None = None) -> list[Figure]:
    """Draw the same, cut into pictures of equal width that continue one another, for pages that are not high enough.

    Args:
        boxes: As for :func:`diagram`.
        rows_at_most: Rows of boxes in a picture; None: all in one.
    """
    # Imported late, since matplotlib takes a while; a figure of its own leaves the user's backend alone.
    from matplotlib.figure import Figure

    reads = {name: box.reads for name, box in boxes.items()}
    places = positions(reads)
    ways = routes(reads, places)
    columns = [x + side * _MARGIN for points in ways.values() for x, _ in points for side in (-1, 1)]
    columns += [x + side / 2 for x, _ in places.values() for side in (-1, 1)]
    lines = [line for box in boxes.values() for line in box.text.split("\n")]
    column = _CHARACTER * max(map(len, lines)) + _BESIDE
    rows = round(1 + max(row for _, row in places.values()))
    width = max(columns) - min(columns)
    height = _LINE * max(box.text.count("\n") + 1 for box in boxes.values()) + _AROUND
    # As even as they can be: a last strip of one row looks forgotten.
    strips = -(-rows // (rows_at_most or rows))
    edges = [round(strip * rows / strips) for strip in range(strips + 1)]
    figures = []
    for first, end in itertools.pairwise(edges):
        figure = Figure(figsize=(column * width, height * (end - first)))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(min(columns), max(columns))
        axes.set_ylim(end - 0.5, first - 0.5)
        _draw(axes, boxes, places, ways, first, end)
        figures.append(figure)
    return figures


def _draw(
    axes: Axes,
    boxes: Mapping[str, Box],
    places: Mapping[str, Point],
    ways: Mapping[tuple[str, str], list[Point]],
    first: int,
    end: int,
) -> None:
    """Draw the rows from ``first`` on and before ``end``, and one more on each side, where arrows begin and end."""
    patches = {
        name: axes.text(
            *places[name],
            box.text,
            ha="center",
            va="center",
            fontsize=_TEXT,
            parse_math=False,
            bbox={"boxstyle": "round", "facecolor": box.color, "edgecolor": _LINES},
        ).get_bbox_patch()
        for name, box in boxes.items()
        if first - 1 <= places[name][1] <= end
    }
    for (source, reader), points in ways.items():
        if points[0][1] > end or points[-1][1] < first - 1:
            continue
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
                "patchA": patches.get(source) if len(points) == 2 else None,
                "patchB": patches.get(reader),
                "shrinkA": 0,
            },
        )
        times = boxes[reader].reads.count(source)
        if times > 1:
            (x, y), (last_x, last_y) = points[-2:]
            axes.text((x + last_x) / 2, (y + last_y) / 2, f"  {times}×", fontsize=_TEXT, va="center")


Point = tuple[float, float]
# What each node reads, by name, every node after those that it reads.
Reads = Mapping[str, Sequence[str]]

# In columns: how far a passing edge keeps from the middle of a node, and from another edge.
_FROM_NODE = 0.5
_FROM_EDGE = 0.12
# In rows: an edge passes a row of nodes straight down, from this much above to this much below.
_PASS = 0.3


def positions(reads: Reads) -> dict[str, Point]:
    """Return column and row of each node: rows by distance from the input, columns near those of what a node reads."""
    graph = nx.DiGraph((source, name) for name, sources in reads.items() for source in sources)
    graph.add_nodes_from(reads)
    places: dict[str, Point] = {}
    for row, names in enumerate(nx.topological_generations(graph)):
        wanted = {name: _mean([places[source][0] for source in reads[name]]) for name in names}
        order = sorted(names, key=lambda name: (wanted[name], name))
        for place, name in enumerate(order):
            places[name] = (place - (len(order) - 1) / 2, float(row))
    return places


def routes(reads: Reads, places: Mapping[str, Point]) -> dict[tuple[str, str], list[Point]]:
    """Return the points of each edge, (source, reader): both ends, and between them what leads past nodes."""
    taken: dict[float, dict[float, float]] = {}
    for column, row in places.values():
        taken.setdefault(row, {})[column] = _FROM_NODE
    found = {}
    for reader, sources in reads.items():
        for source in dict.fromkeys(sources):
            points = [places[source]]
            for row in range(int(places[source][1]) + 1, int(places[reader][1])):
                column = _nearest_free(points[-1][0], taken[row])
                taken[row][column] = _FROM_EDGE
                points += [(column, row - _PASS), (column, row + _PASS)]
            found[source, reader] = [*points, places[reader]]
    return found


def _nearest_free(wanted: float, taken: dict[float, float]) -> float:
    """Return the column nearest to the wanted one that keeps the distance to all that are taken."""
    candidates = [wanted]
    for column, distance in taken.items():
        candidates += [column + distance, column - distance]
    free = [
        candidate
        for candidate in candidates
        # A little less than the distance: candidates stand at exactly that, but for rounding.
        if all(abs(candidate - column) > 0.99 * distance for column, distance in taken.items())
    ]
    # To the right where both sides are as near: a residual network's shortcuts then all run on one side.
    return min(free, key=lambda candidate: (round(abs(candidate - wanted), 6), -candidate))


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
