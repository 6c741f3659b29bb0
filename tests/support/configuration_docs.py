"""The table of keys in docs/configuration.md, as the options of the commands have it.

Run this as a program to write it: ``PYTHONPATH=.:tests python tests/support/configuration_docs.py``.
"""

from __future__ import annotations

from pathlib import Path

from snnc.cli.configuration.keys import key_table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"
START, END = "<!-- keys: ", "<!-- end of keys -->\n"


def parts() -> tuple[str, str, str]:
    """The page up to the table, the table, and what follows."""
    text = PAGE.read_text(encoding="utf-8")
    start = text.index("\n", text.index(START)) + 1
    end = text.index(END)
    return text[:start], text[start:end], text[end:]


if __name__ == "__main__":
    before, _, behind = parts()
    PAGE.write_text(f"{before}\n{key_table()}\n{behind}", encoding="utf-8")
