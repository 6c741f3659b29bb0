"""A graph of operations as a table, as text and as a picture."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from snnc.common.plotting import check_picture, save_picture
from snnc.compiler.ir.graph import Graph, Node
from snnc.compiler.ir.ops import Conv2d, IntegrateAndFire, Linear, Operation, ReLU
from snnc.compiler.ir.pooling import Pooling
from snnc.compiler.ir.sparse import ConvTranspose2d, Sparse
from snnc.compiler.ir.spiking import QuantizedLayer, Readout, SpikingLayer
from snnc.reporting import wording
from snnc.reporting.diagram import INPUT_COLOR, OTHER_COLOR, READOUT_COLOR, SPIKING_COLOR, Box, diagram
from snnc.reporting.table import Table, column

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
            f"{node.name}   {wording.shape(node.shape)}\n{describe(node.op)}",
            _COLORS.get(node.op.kind, OTHER_COLOR),
            node.inputs,
        )
        for node in graph
    }
    save_picture(diagram(boxes), destination)


# Lines are as long as they are; whoever prints to a narrow terminal prints the table itself, which then wraps.
_WIDTH = 10_000


def graph_table(graph: Graph) -> Table[Node]:
    """Return a row for each node, in topological order: name, operation, inputs, shape and its modules."""
    return Table(
        (
            column(lambda node: node.name, title="node", key="name", kind="name"),
            column(lambda node: describe(node.op), title="operation", key="operation"),
            column(lambda node: node.inputs, ", ".join, title="reads", key="reads"),
            column(lambda node: node.shape, wording.shape, title="shape", key="shape"),
            column(lambda node: node.modules, ", ".join, title="modules", key="modules"),
        ),
        tuple(graph),
    )


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
