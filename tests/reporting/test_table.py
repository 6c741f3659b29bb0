"""One table in the terminal, on the page and in JSON."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass

import numpy as np
import pytest
from rich.console import Console

from snnc.reporting.table import Column, Table, column, plain


@dataclass(frozen=True)
class Planet:
    """A row."""

    name: str
    moons: int | None
    share: float


COLUMNS: tuple[Column[Planet], ...] = (
    column(lambda row: row.name, title="planet", key="name", kind="name", total="all"),
    column(
        lambda row: row.moons, "{:,}".format, screen="moons", page="number", key="moons", kind="number", total=1_236
    ),
    column(lambda row: row.moons, key="known_moons", optional=True),
    column(lambda row: row.share, "{:.1f} %".format, title="share", write_on_page="{:.2f}".format, kind="number"),
    column(lambda row: row.share, page="", bars=lambda row: ((row.share / 100, "share"),)),
    column(lambda row: (1, row.name), key="pair"),
)
ROWS = (Planet("Earth", 1, 0.3), Planet("Saturn of the many rings", 1_235, 28.5), Planet("Vulcan", None, 0.0))


def printed(table: Table[Planet], width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as captured:
        console.print(table)
    return captured.get().splitlines()


def test_the_terminal_has_titles_figures_totals_and_a_legend() -> None:
    empty, head, line, *body = printed(Table(COLUMNS, ROWS, legend="moons: known ones", sentence="three planets"))
    assert empty == "" and set(line) == {"─"}
    assert head.split() == ["planet", "moons", "share"]
    assert [" ".join(each.split()) for each in body if each.strip()] == [
        "Earth 1 0.3 %",
        "Saturn of the many rings 1,235 28.5 %",
        "Vulcan - 0.0 %",
        "all 1,236",
        "moons: known ones",
        "three planets",
    ]
    # Figures stand below one another, to the right.
    assert len({each.index(" %") for each in body if "%" in each}) == 1


def test_names_are_never_broken_where_the_terminal_is_narrow() -> None:
    assert any("Saturn of the many rings" in line for line in printed(Table(COLUMNS, ROWS), width=34))


def test_no_word_is_broken_or_cut_off_where_the_terminal_has_room_for_each() -> None:
    def stretch(low: int, high: int) -> str:
        return f"{low:,} .. {high:,}"

    columns: tuple[Column[Planet], ...] = (
        column(lambda row: row.name, title="planet, largest first", kind="name"),
        column(lambda row: row.moons, "{:,} (12 %)".format, title="undiscovered moons", kind="number"),
        column(lambda row: row.moons, lambda moons: stretch(-moons * 1_000, moons), title="range", kind="number"),
    )
    rows = (Planet("Saturn V", 123_892, 0.0), Planet("Io", 1, 0.0))
    wide = [" ".join(line.split()) for line in printed(Table(columns, rows))]
    assert "Saturn V 123,892 (12 %) -123,892,000 .. 123,892" in wide
    lines = printed(Table(columns, rows), width=36)
    words = {word for line in lines for word in line.split()}
    assert words >= {"undiscovered", "moons", "planet,", "largest", "first", "123,892", "-123,892,000"}
    assert any("Saturn V" in line for line in lines) and any("(12 %)" in line for line in lines)
    assert all(len(line) <= 36 and "…" not in line for line in lines)


def test_the_page_has_its_own_titles_and_formats() -> None:
    table = Table(COLUMNS, ROWS)
    assert [each.page for each in table.page_columns] == ["planet", "number", "share", ""]
    cells = [each.cell(ROWS[1]) for each in table.page_columns]
    assert [each.text for each in cells] == ["Saturn of the many rings", "1,235", "28.50", ""]
    assert [each.kind for each in cells] == ["name", "number", "number", "text"]
    assert cells[-1].bars == ((pytest.approx(0.285), "share"),)
    assert table.has_totals and [each.total for each in table.page_columns] == ["all", "1,236", "", ""]


def test_json_has_the_values_and_not_how_they_are_written() -> None:
    records = Table(COLUMNS, ROWS).records()
    assert json.loads(json.dumps(records)) == [
        {"name": "Earth", "moons": 1, "known_moons": 1, "pair": [1, "Earth"]},
        {
            "name": "Saturn of the many rings",
            "moons": 1235,
            "known_moons": 1235,
            "pair": [1, "Saturn of the many rings"],
        },
        {"name": "Vulcan", "moons": None, "pair": [1, "Vulcan"]},
    ]


def test_values_of_numpy_and_dataclasses_become_those_of_json() -> None:
    value = {"planet": ROWS[0], "array": np.arange(3), "number": np.float64(0.5), "none": None}
    assert plain(value) == {
        "planet": {"name": "Earth", "moons": 1, "share": 0.3},
        "array": [0, 1, 2],
        "number": 0.5,
        "none": None,
    }
