"""Whether what a page shows as output is what came out."""

from __future__ import annotations

import re

# Figures differ from machine to machine, and with them the room they take and the unit that suits them.
_FIGURE = re.compile(r"[-+]?\d[\d.,]*(?: ?[pnµm]?J\b)?")
# What stands for lines that the page leaves out.
_LEFT_OUT = "..."


class OutputError(Exception):
    """A page shows what no longer comes out."""


def check_output(shown: str, printed: str) -> None:
    """Looks for the lines of a page in an output, in their order; figures and rules of tables may differ.

    Raises:
        OutputError: One is not there.
    """
    found = iter([_form(line) for line in printed.splitlines()])
    for line in shown.splitlines():
        wanted = _form(line)
        if wanted in ("", _LEFT_OUT):
            continue
        if not any(each == wanted for each in found):
            raise OutputError(f"there is no line {line!r} (left) in what was printed:\n{printed}")


def _form(line: str) -> str:
    return " ".join(_FIGURE.sub("0", re.sub("─+", "─", line)).split())
