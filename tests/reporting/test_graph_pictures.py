"""The graph as a table and as a picture."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from rich.console import Console
from torch import nn

from snnc.common.errors import OutputError
from snnc.compiler.frontend import trace
from snnc.compiler.ir import Conv2d, Graph, Input, Output, ReLU, SpikingLayer
from snnc.models import digits_cnn
from snnc.reporting.diagram import positions, routes
from snnc.reporting.graph import draw, graph_table, graph_text


def reads(graph: Graph) -> dict[str, tuple[str, ...]]:
    return {node.name: node.inputs for node in graph}


@pytest.fixture
def residual() -> Graph:
    graph = Graph()
    convolution = Conv2d(np.ones((2, 2, 3, 3)), np.zeros(2), padding=(1, 1))
    graph.add("input", Input((2, 8, 8)))
    graph.add("first", ReLU(), ("input",), modules=("block.relu",))
    graph.add("second", ReLU(), ("first",))
    graph.add("[sum]", SpikingLayer((convolution, convolution)), ("second", "first"))
    graph.add("output", Output(), ("[sum]",))
    return graph


def test_a_graph_prints_as_a_table() -> None:
    lines = graph_text(trace(digits_cnn(), (1, 8, 8))).splitlines()
    rows = [line.split("  ") for line in lines[2:]]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert cells[0] == ["input", "Input", "1×8×8"]
    assert cells[1] == ["0", "Conv2d 3×3, 1→16", "input", "16×8×8", "0"]
    assert ["3", "AvgPool2d 2×2, stride 2", "2", "16×4×4", "3"] in cells
    assert cells[-1] == ["output", "Output", "12", "10"]


def test_names_are_printed_as_they_are(residual: Graph) -> None:
    text = graph_text(residual)
    assert "[sum]" in text
    assert "SpikingLayer: Conv2d 3×3, 2→2 + Conv2d 3×3, 2→2" in text
    assert "second, first" in text
    assert "block.relu" in text


def test_rich_shows_a_graph_as_a_table(residual: Graph) -> None:
    console = Console(width=200, markup=False)
    with console.capture() as captured:
        console.print(graph_table(residual))
    assert "block.relu" in captured.get()


def test_every_node_lies_below_what_it_reads(residual: Graph) -> None:
    places = positions(reads(residual))
    assert len(set(places.values())) == len(residual)
    for node in residual:
        assert all(places[source][1] < places[node.name][1] for source in node.inputs)


class Blocks(nn.Module):
    """Shortcuts, branches, and a value that is added to itself."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(2, 2, 3, padding=1) for _ in range(4))
        self.up = nn.ConvTranspose2d(4, 3, 2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for first, second in (self.convs[:2], self.convs[2:]):
            x = (second(first(x).relu()) + x).relu()
        x = x + x
        x = torch.cat([self.convs[0](x).relu(), F.max_pool2d(x, 3, 1, 1)], 1)
        return F.adaptive_avg_pool2d(self.up(x), 3)


@pytest.fixture(scope="module")
def blocks() -> Graph:
    return trace(Blocks(), (2, 4, 4))


def test_joins_print_as_tables(blocks: Graph) -> None:
    rows = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in graph_text(blocks).splitlines()]
    assert ["add_2", "Add", "relu_3, relu_3", "2×4×4", "add_2"] in rows
    assert ["cat", "Concat", "relu_4, max_pool2d", "4×4×4", "cat"] in rows
    assert ["up", "ConvTranspose2d 2×2, 4→3, stride 2", "cat", "3×8×8", "up"] in rows
    assert ["max_pool2d", "MaxPool2d 3×3", "add_2", "2×4×4", "max_pool2d"] in rows


def test_edges_lead_past_the_nodes_between_their_ends(blocks: Graph) -> None:
    places = positions(reads(blocks))
    ways = routes(reads(blocks), places)
    assert set(ways) == set(blocks.networkx.edges)
    for (source, reader), points in ways.items():
        assert points[0] == places[source] and points[-1] == places[reader]
        assert all(above[1] < below[1] for above, below in itertools.pairwise(points))
        for name, (column, row) in places.items():
            if name not in (source, reader):
                assert all(abs(x - column) > 0.45 for x, y in points if abs(y - row) < 0.5)


def test_edges_that_pass_a_row_do_not_cover_one_another(blocks: Graph) -> None:
    passing = [point for points in routes(reads(blocks), positions(reads(blocks))).values() for point in points[1:-1]]
    assert passing and len(set(passing)) == len(passing)


def test_joins_are_drawn(blocks: Graph, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw(blocks, tmp_path / "graph.svg")
    assert "2× -->" in (tmp_path / "graph.svg").read_text()


@pytest.mark.parametrize(("suffix", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_a_graph_is_drawn(residual: Graph, tmp_path: Path, suffix: str, start: bytes) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / f"graph.{suffix}"
    draw(residual, path)
    assert path.read_bytes().startswith(start)


def test_other_formats_are_refused(residual: Graph, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.pdf or \.png or \.svg, found \.doc"):
        draw(residual, tmp_path / "graph.doc")


def test_a_picture_that_cannot_be_written_is_an_error(residual: Graph, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(OutputError, match="cannot be written"):
        draw(residual, tmp_path / "missing" / "graph.svg")
