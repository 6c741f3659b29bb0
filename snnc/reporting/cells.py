"""Tables cell by cell, as the page's template takes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from snnc.program import NeuronLayer
from snnc.reporting import wording


@dataclass(frozen=True)
class Cell:
    """What a table holds in one place.

    Attributes:
        text: Its text.
        kind: ``text``; ``name``, which is never broken; ``number``, which is set to the right.
        bars: Parts of a bar that is drawn instead, each a share of its width and the name of its colour.
        small: A second line.
    """

    text: str
    kind: Literal["text", "name", "number"] = "text"
    bars: tuple[tuple[float, str], ...] = ()
    small: str = ""


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        titles: One for each column.
        rows: Each of as many cells.
        sums: A last row with totals; none where it is empty.
    """

    titles: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    sums: tuple[Cell, ...] = ()


def table(titles: Sequence[str], rows: Iterable[Sequence[Cell]], sums: Sequence[Cell] = ()) -> Table:
    """A table of whatever sequences."""
    return Table(tuple(titles), tuple(map(tuple, rows)), tuple(sums))


def number(text: str, small: str = "") -> Cell:
    """A figure."""
    return Cell(text, "number", small=small)


def percent(value: float | None) -> Cell:
    """A share of 1 in percent; a dash for None."""
    return number("-" if value is None else f"{100 * value:.1f}")


def layer_name(layer: NeuronLayer, small: str = "") -> Cell:
    """A layer's name."""
    return Cell(wording.layer(layer), "name", small=small)


def modules(layer: NeuronLayer) -> str:
    """The modules behind a layer, where its name does not say so."""
    return "" if layer.modules == (layer.name,) else ", ".join(layer.modules)
