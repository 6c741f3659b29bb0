"""The graph as a table and as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from snnc.compiler.frontend import trace
from snnc.compiler.ir import Conv2d, Graph, Input, Output, ReLU, SpikingLayer
from snnc.compiler.ir.draw import positions
from snnc.errors import OutputError
from snnc.models import digits_cnn


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
    lines = str(trace(digits_cnn(), (1, 8, 8))).splitlines()
    rows = [line.split("  ") for line in lines[2:]]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert cells[0] == ["input", "Input", "1×8×8"]
    assert cells[1] == ["0", "Conv2d 3×3, 1→16", "input", "16×8×8", "0"]
    assert ["3", "AvgPool2d 2×2, stride 2", "2", "16×4×4", "3"] in cells
    assert cells[-1] == ["output", "Output", "12", "10"]


def test_names_are_printed_as_they_are(residual: Graph) -> None:
    text = str(residual)
    assert "[sum]" in text
    assert "SpikingLayer: Conv2d 3×3, 2→2 + Conv2d 3×3, 2→2" in text
    assert "second, first" in text
    assert "block.relu" in text


def test_rich_shows_a_graph_as_a_table(residual: Graph) -> None:
    console = Console(width=200, markup=False)
    with console.capture() as captured:
        console.print(residual)
    assert "block.relu" in captured.get()


def test_every_node_lies_below_what_it_reads(residual: Graph) -> None:
    places = positions(residual)
    assert len(set(places.values())) == len(residual)
    for node in residual:
        assert all(places[source][1] < places[node.name][1] for source in node.inputs)


@pytest.mark.parametrize(("suffix", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_a_graph_is_drawn(residual: Graph, tmp_path: Path, suffix: str, start: bytes) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / f"graph.{suffix}"
    residual.draw(path)
    assert path.read_bytes().startswith(start)


def test_other_formats_are_refused(residual: Graph, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.pdf or \.png or \.svg, found \.doc"):
        residual.draw(tmp_path / "graph.doc")


def test_a_picture_that_cannot_be_written_is_an_error(residual: Graph, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(OutputError, match="cannot be written"):
        residual.draw(tmp_path / "missing" / "graph.svg")
