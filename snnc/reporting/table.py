"""How tables look."""

from __future__ import annotations

from rich import box
from rich.table import Table


def plain_table(*, footer: bool = False) -> Table:
    """A table with a line below its head, and no more room between columns than is needed.

    Args:
        footer: Whether its columns have footers.
    """
    return Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True, padding=(0, 1), show_footer=footer
    )
