"""A graph as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from snnc.compiler.ir.diagram import Box, diagram
from snnc.compiler.ir.table import describe
from snnc.pictures import check_picture, save_picture

if TYPE_CHECKING:
    from snnc.compiler.ir.graph import Graph

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
    """Draws a graph from top to bottom, every node below all that it reads.

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
