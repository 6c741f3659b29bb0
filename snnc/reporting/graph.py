"""A graph of operations as a table, as text and as a picture, and the drawing of boxes with arrows."""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import networkx as nx
from rich import box
from rich.console import Console
from rich.table import Table

from snnc.common.plotting import check_picture, save_picture
from snnc.compiler.ir.ops import Conv2d, IntegrateAndFire, Linear, Operation, ReLU
from snnc.compiler.ir.pooling import Pooling
from snnc.compiler.ir.sparse import ConvTranspose2d, Sparse
from snnc.compiler.ir.spiking import QuantizedLayer, Readout, SpikingLayer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from snnc.compiler.ir.graph import Graph

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
        boxes: At least one, by name, each behind those that it reads.
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
# What each node reads, by name, every node behind those that it reads.
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


INPUT_COLOR, SPIKING_COLOR, READOUT_COLOR, OTHER_COLOR = "#dbe7f5", "#fbe3c8", "#d9efd9", "#f2f3f5"
_COLORS = {
    "Input": INPUT_COLOR,
    "Output": INPUT_COLOR,
    "ReLU": SPIKING_COLOR,
    "SpikingLayer": SPIKING_COLOR,
    "QuantizedLayer": SPIKING_COLOR,
    "Readout": READOUT_COLOR,
}


def draw(graph: Graph, path: str | Path) -> None:
    """Draw a graph from top to bottom, every node below all that it reads.

    Args:
        graph: The graph.
        path: The picture to write; its suffix says the format: .pdf, .png or .svg.

    Raises:
        OutputError: The suffix is another one, or the file cannot be written.
    """
    destination = check_picture(path)
    boxes = {
        node.name: Box(
            f"{node.name}   {'×'.join(map(str, node.shape))}\n{describe(node.op)}",
            _COLORS.get(node.op.kind, OTHER_COLOR),
            node.inputs,
        )
        for node in graph
    }
    save_picture(diagram(boxes), destination)


# Lines are as long as they are; whoever prints to a narrow terminal prints the table itself, which then wraps.
_WIDTH = 10_000


def graph_table(graph: Graph) -> Table:
    """Return one row for each node, in topological order: name, operation, inputs, shape and the modules behind it."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("node", no_wrap=True)
    for title in ("operation", "reads", "shape", "modules"):
        table.add_column(title)
    for node in graph:
        shape = "×".join(map(str, node.shape))
        table.add_row(node.name, describe(node.op), ", ".join(node.inputs), shape, ", ".join(node.modules))
    return table


def graph_text(graph: Graph) -> str:
    """Return the table as plain text."""
    console = Console(file=io.StringIO(), width=_WIDTH, markup=False, highlight=False, emoji=False, color_system=None)
    with console.capture() as captured:
        console.print(graph_table(graph))
    return "\n".join(line.rstrip() for line in captured.get().splitlines() if line.strip())


def describe(op: Operation) -> str:
    """Return an operation in a few words: ``Conv2d 3×3, 16→32, stride 2``."""
    match op:
        case Conv2d():
            return f"Conv2d {_kernel(op)}"
        case Linear():
            return f"Linear {op.weight.shape[1]}→{op.weight.shape[0]}"
        case ConvTranspose2d():
            height, width = op.weight.shape[2:]
            return f"ConvTranspose2d {height}×{width}, {len(op.weight)}→{len(op.bias)}{_stride(op.stride)}"
        case Sparse():
            return f"Sparse {op.matrix.shape[1]}→{op.matrix.shape[0]}, {op.matrix.nnz:,} entries"
        case Pooling():
            return f"{op.kind} {op.kernel[0]}×{op.kernel[1]}{_stride(op.stride)}"
        case IntegrateAndFire():
            return f"IntegrateAndFire, T = {op.timesteps}"
        case ReLU():
            return f"ReLU{_bound(op)}"
        case SpikingLayer():
            return f"{op.kind}: {' + '.join(map(describe, op.synapses))}{_bound(op.activation)}"
        case Readout():
            return f"{op.kind}: {' + '.join(map(describe, op.synapses))}"
        case QuantizedLayer():
            threshold = op.layer.threshold
            return f"{describe(op.source)}, θ {threshold.value:,}" if threshold else describe(op.source)
    return op.kind


def _bound(op: ReLU) -> str:
    if op.threshold is None:
        return ""
    return f", up to {op.threshold:.3g}" + ("" if op.steps is None else f" in {op.steps} steps")


def _kernel(op: Conv2d) -> str:
    out, inputs, height, width = op.weight.shape
    groups = f", {op.groups} groups" if op.groups > 1 else ""
    return f"{height}×{width}, {inputs * op.groups}→{out}{_stride(op.stride)}{groups}"


def _stride(stride: tuple[int, int]) -> str:
    if stride == (1, 1):
        return ""
    return f", stride {stride[0]}" if stride[0] == stride[1] else f", stride {stride[0]}×{stride[1]}"
