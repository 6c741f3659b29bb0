"""docs/architecture.md and docs/glossary.md: every room has its paragraph, the picture is current, terms are used."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
ROOMS = sorted(path.parent.name for path in (ROOT / "snnc").glob("*/__init__.py"))
# (term, name in code, meaning) of each line of the tables.
ROWS = [
    tuple(each.strip() for each in line.strip("|").split(" | ")) for line in GLOSSARY.splitlines() if " | `" in line
]


def test_the_glossary_has_tables() -> None:
    assert len(ROWS) > 50 and all(len(row) == 3 for row in ROWS)


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_a_paragraph(room: str) -> None:
    paragraphs = [each for each in PAGE.split("\n\n") if each.startswith(f"**`{room}`**")]
    assert len(paragraphs) == 1 and len(paragraphs[0]) > 80


def test_every_paragraph_has_its_room() -> None:
    assert sorted(re.findall(r"^\*\*`(\w+)`\*\*", PAGE, re.MULTILINE)) == ROOMS


def test_paths_of_the_page_are_there() -> None:
    paths = re.findall(r"`((?:snnc|tests|tools|docs)/[\w./-]+)`", PAGE)
    assert len(paths) > 5
    assert [each for each in paths if not (ROOT / each).exists()] == []


def test_the_picture_shows_the_imports_as_they_are() -> None:
    """Where this fails, run tools/documentation/floors.py."""
    place = ROOT / "tools" / "documentation" / "floors.py"
    spec = importlib.util.spec_from_file_location("floors", place)
    assert spec is not None and spec.loader is not None
    floors = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(floors)
    picture = floors.PICTURE.read_text(encoding="utf-8")
    assert picture == floors.drawn()
    assert all(f">{room}</text>" in picture for room in ROOMS) and "architecture.svg" in PAGE


@pytest.mark.parametrize(
    "term",
    ["T", "lead", "interval", "latency", "Vth", "theta", "v0", "level", "drive", "rate", "readout", "relay", "gate",
     "coding", "divisor", "synapse", "lowering", "profile", "candidate", "judge", "verdict", "correction"],
)  # fmt: skip
def test_the_glossary_has_the_terms_of_the_field(term: str) -> None:
    assert [row for row in ROWS if term in row[0].split(", ")], term


def test_no_term_stands_twice() -> None:
    terms = [term for row in ROWS for term in row[0].split(", ")]
    assert sorted(terms) == sorted(set(terms))


def test_the_terms_are_used() -> None:
    """By their names in code, in the code; by themselves, in the code or on other pages."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "snnc").rglob("*.py"))
    pages = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md") if path.stem != "glossary"
    )
    names = [name for row in ROWS for name in re.findall(r"`([\w-]+)`", row[1])]
    assert [name for name in names if not re.search(rf"\b{re.escape(name)}\b", code)] == []
    words = code + pages
    missing = [row[0] for row in ROWS for term in row[0].split(", ")
               if not re.search(rf"\b{re.escape(term.split(' (')[0])}s?\b", words, re.IGNORECASE)]  # fmt: skip
    assert missing == []
