"""One table for the terminal, for the page of a report and for programs.

A table is its columns and its rows. A row is whatever object the table is about: a layer, a pass, an energy model. A
column takes one typed value from a row, and says how people see it (a title, a format, a side that it is set to) and by
which key programs find it. Rich prints a table, the template of the page reads its columns, and :meth:`Table.records`
makes JSON objects, all of the same values, so that none is written down twice.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Generic, Literal, TypeVar

import numpy as np
from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table as RichTable
from rich.text import Text

Row = TypeVar("Row", contravariant=True)
Value = TypeVar("Value")

# An object of the ``--json`` outputs.
Json = dict[str, object]
# ``text`` may be broken; ``name`` never is, and is bound to the left as text is; ``number`` is bound to the right.
Kind = Literal["text", "name", "number"]
# Parts of a bar: the share of its width, 0..1, and the name of its colour in the page's style sheet.
Bars = tuple[tuple[float, str], ...]

# Characters between two columns of the terminal.
_GAP = 2
# A space that no line is broken at, and where it is meant: between a number and its unit or its sign.
_NO_BREAK = "\N{NO-BREAK SPACE}"
_BOUND = re.compile(r"(?<=\d) (?=%|[nµm]?J\b)|(?<=×) (?=\d)")


@dataclass(frozen=True)
class Cell:
    """What the page shows of a row in a column.

    Attributes:
        text: Its text.
        kind: How it is set.
        small: A second line in small letters; none where empty.
        bars: A bar that is drawn in place of the text; none where empty.
    """

    text: str
    kind: Kind = "text"
    small: str = ""
    bars: Bars = ()


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A column; :func:`column` makes one.

    Attributes:
        value: The value of a row.
        text: The value as the terminal writes it.
        cell: The value as the page shows it.
        screen: The title in the terminal; None: not shown there.
        page: The title on the page; None: not shown there.
        key: The key in JSON; "": left out there.
        optional: Leave the key out where the value is None.
        kind: How its cells are set.
        wrap: Whether the terminal may break its lines where it is narrow.
        width: Characters that the terminal gives it at least; None: as many as it needs.
        total: What a last row with totals says here, for people alone; "": nothing.
    """

    value: Callable[[Row], object]
    text: Callable[[Row], str]
    cell: Callable[[Row], Cell]
    screen: str | None = None
    page: str | None = None
    key: str = ""
    optional: bool = False
    kind: Kind = "text"
    wrap: bool = True
    width: int | None = None
    total: str = ""


def column(
    value: Callable[[Row], Value | None],
    write: Callable[[Value], str] = str,
    *,
    title: str | None = None,
    screen: str | None = None,
    page: str | None = None,
    write_on_page: Callable[[Value], str] | None = None,
    key: str = "",
    optional: bool = False,
    kind: Kind = "text",
    missing: str = "-",
    small: Callable[[Row], str] | None = None,
    bars: Callable[[Row], Bars] | None = None,
    wrap: bool | None = None,
    width: int | None = None,
    total: Value | None = None,
) -> Column[Row]:
    """Return a column.

    Args:
        value: Takes the value from a row; None: there is none.
        write: Writes a value for people.
        title: The title in the terminal and on the page.
        screen: The title in the terminal, where it is another one, or where the page does not have the column.
        page: The title on the page, likewise.
        write_on_page: Writes a value on the page; None: as in the terminal.
        key: The key in JSON; "": not there.
        optional: Leave the key out where there is no value; else it is null.
        kind: How cells are set.
        missing: What people see where there is no value.
        small: A second line on the page.
        bars: A bar on the page in place of the value.
        wrap: Whether the terminal may break its lines; None: as ``kind`` says.
        width: Characters that the terminal gives it at least.
        total: The value in a last row with totals; None: nothing.
    """

    def text(row: Row, form: Callable[[Value], str] = write) -> str:
        found = value(row)
        return missing if found is None else form(found)

    def cell(row: Row) -> Cell:
        if bars:
            return Cell("", kind, bars=bars(row))
        return Cell(text(row, write_on_page or write), kind, small(row) if small else "")

    return Column(
        value=value,
        text=text,
        cell=cell,
        screen=title if screen is None else screen,
        page=title if page is None else page,
        key=key,
        optional=optional,
        kind=kind,
        wrap=kind != "name" if wrap is None else wrap,
        width=width,
        total="" if total is None else write(total),
    )


@dataclass(frozen=True)
class Table(Generic[Row]):
    """A table.

    Attributes:
        columns: Its columns, from left to right.
        rows: Its rows, from top to bottom.
        legend: What its figures mean, below it in the terminal.
        sentence: A line below the legend; none where empty.
    """

    columns: Sequence[Column[Row]]
    rows: Sequence[Row]
    legend: str = ""
    sentence: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table as the terminal shows it, with an empty line above and the legend below."""
        shown = plain_table(footer=self.has_totals)
        columns = [each for each in self.columns if each.screen is not None]
        texts = [[each.screen or "", *map(each.text, self.rows), each.total] for each in columns]
        widths = _widths(columns, texts, options.max_width)
        folded = [[_folded(text, width) for text in each] for each, width in zip(texts, widths, strict=True)]
        for each, width, (title, *_, total) in zip(columns, widths, folded, strict=True):
            side: Literal["left", "right"] = "right" if each.kind == "number" else "left"
            shown.add_column(title, footer=total, justify=side, width=width, no_wrap=not each.wrap)
        for row in list(zip(*folded, strict=True))[1:-1]:
            shown.add_row(*row)
        yield ""
        yield shown
        if self.legend:
            yield Text(self.legend, style="dim")
        if self.sentence:
            yield self.sentence

    @property
    def has_totals(self) -> bool:
        """Whether a last row holds totals."""
        return any(each.total for each in self.columns)

    @property
    def page_columns(self) -> tuple[Column[Row], ...]:
        """The columns that the page shows."""
        return tuple(each for each in self.columns if each.page is not None)

    def records(self) -> list[Json]:
        """Return the rows as JSON objects, a key for each column that has one."""
        return [
            {
                each.key: plain(value)
                for each, value in ((each, each.value(row)) for each in self.columns if each.key)
                if value is not None or not each.optional
            }
            for row in self.rows
        ]


def plain_table(*, footer: bool = False) -> RichTable:
    """Return an empty table of the terminal: a line below its head, and no more room than is needed between columns.

    Args:
        footer: Whether its columns have footers.
    """
    return RichTable(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True, padding=(0, 1), show_footer=footer
    )


def _widths(columns: Sequence[Column[Row]], texts: Sequence[Sequence[str]], room: int) -> list[int]:
    """Return the characters of each column, such that no word is broken where the terminal has room for all of them.

    Args:
        columns: The columns.
        texts: Of each column the title, the cells and the total.
        room: Characters of a line.
    """
    widths = [max(each.width or 1, *map(cell_len, cells)) for each, cells in zip(columns, texts, strict=True)]
    least = []
    for each, (title, *cells) in zip(columns, texts, strict=True):
        pieces = [*_words(title), *([word for cell in cells for word in _words(cell)] if each.wrap else cells)]
        least.append(max(each.width or 1, *map(cell_len, pieces)))
    room -= _GAP * (len(columns) - 1)
    while sum(widths) > room:
        # Words are broken last, and never names: what a line has no room for then is cut off.
        narrower = [index for index, width in enumerate(widths) if width > least[index]]
        narrower = narrower or [index for index, width in enumerate(widths) if columns[index].wrap and width > 1]
        if not narrower:
            break
        widest = max(narrower, key=lambda index: widths[index])
        widths[widest] -= 1
    return widths


def _words(text: str) -> list[str]:
    """Return what a line may not be broken in: words, and numbers with their units."""
    return _BOUND.sub(_NO_BREAK, text).split(" ")


def _folded(text: str, width: int) -> str:
    """Return a text in lines of so many characters."""
    if cell_len(text) <= width:
        return text
    lines = textwrap.wrap(_BOUND.sub(_NO_BREAK, text), width, break_on_hyphens=False)
    return "\n".join(lines).replace(_NO_BREAK, " ")


def plain(value: object) -> object:
    """Return a value as JSON has it: dataclasses and mappings as objects, tuples and arrays as lists."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    return value
