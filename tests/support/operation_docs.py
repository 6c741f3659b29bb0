"""The table of operations in docs/models.md, as the compiler's own table has it.

Run this as a program to write it: ``PYTHONPATH=.:tests python tests/support/operation_docs.py``.
"""

from __future__ import annotations

from pathlib import Path

from snnc.compiler.frontend.operations.table import documented

PAGE = Path(__file__).resolve().parents[2] / "docs" / "models.md"
START, END = "<!-- operations: ", "<!-- end of operations -->\n"


def expected() -> str:
    """The table in Markdown."""
    rows = [("PyTorch", "ONNX", "conditions"), ("---", "---", "---"), *documented()]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows).replace("|  |", "| |")


def parts() -> tuple[str, str, str]:
    """The page up to the table, the table, and what follows."""
    text = PAGE.read_text(encoding="utf-8")
    start = text.index("\n", text.index(START)) + 1
    end = text.index(END)
    return text[:start], text[start:end], text[end:]


if __name__ == "__main__":
    before, _, behind = parts()
    PAGE.write_text(before + expected() + behind, encoding="utf-8")
