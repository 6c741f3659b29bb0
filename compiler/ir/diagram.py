"""Boxes of text with arrows between them, as a picture."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snnc.compiler.ir.layout import Point, positions, routes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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
    """Draws boxes from top to bottom, each below all that it reads.

    Args:
        boxes: At least one, by name, each behind those that it reads.
    """
    (figure,) = diagram_strips(boxes)
    return figure


def diagram_strips(boxes: Mapping[str, Box], *, rows_at_most: int | None = None) -> list[Figure]:
    """The same, cut into pictures of equal width that continue one another, for pages that are not high enough.

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
    """Draws the rows from ``first`` on and before ``end``, and one more on each side, where arrows begin and end."""
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
