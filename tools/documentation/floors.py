"""Draws the rooms of snnc/ on their floors, with what each imports, as docs/architecture.svg.

    python tools/documentation/floors.py

Floors are those of tests/project/test_architecture.py, arrows come from the imports themselves, and what a room is from
the docstring of its package. An arrow that follows from others (a room above imports one between, which imports the one
below) is left out.
"""

from __future__ import annotations

import ast
import re
import textwrap
from html import escape
from pathlib import Path

import networkx as nx

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "architecture.svg"
WIDTH, BOX, GAP, FLOOR, MARGIN = 840, 62, 16, 90, 24
# Free space at the right, for arrows that pass floors by.
LANES = 50
# Of the small letters, in pixels, on average.
LETTER = 6.6


def floors() -> tuple[tuple[str, ...], ...]:
    """Return the rooms of each floor that there are, from the ground."""
    tree = ast.parse((ROOT / "tests/project/test_architecture.py").read_text(encoding="utf-8"))
    (found,) = (
        ast.literal_eval(each.value)
        for each in tree.body
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "FLOORS"
    )
    rows = (tuple(room for room in rooms if (ROOT / "snnc" / room).is_dir()) for rooms in found)
    return tuple(row for row in rows if row)


def arrows(rooms: set[str]) -> list[tuple[str, str]]:
    """Which room imports which, but for what follows from others."""
    graph = nx.DiGraph()
    for path in (ROOT / "snnc").rglob("*.py"):
        room = path.relative_to(ROOT / "snnc").parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if room in rooms else ():
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            parts = (name.split(".") for name in names)
            graph.add_edges_from((room, each[1]) for each in parts if each[0] == "snnc" and len(each) > 1)
    graph.remove_edges_from(list(nx.selfloop_edges(graph)))
    return sorted(nx.transitive_reduction(graph.subgraph(rooms)).edges)


def subject(room: str) -> str:
    """Return the first sentence of a room's docstring."""
    docstring = ast.get_docstring(ast.parse((ROOT / "snnc" / room / "__init__.py").read_text(encoding="utf-8")))
    plain = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"\1", str(docstring).splitlines()[0])
    return plain.replace("``", "").rstrip(".")


def drawn() -> str:
    """Return the picture as SVG."""
    rows = floors()
    height = 2 * MARGIN + (len(rows) - 1) * FLOOR + BOX
    inner = WIDTH - 2 * MARGIN - LANES
    boxes: dict[str, tuple[float, float, float]] = {}
    level = {room: floor for floor, row in enumerate(rows) for room in row}
    for floor, row in enumerate(rows):
        width = (inner - GAP * (len(row) - 1)) / len(row)
        for place, room in enumerate(row):
            boxes[room] = (MARGIN + place * (width + GAP), height - MARGIN - BOX - floor * FLOOR, width)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img" aria-label="The rooms of snnc on their floors; an arrow goes from a room to one that it imports">',
        "<style>.t{font:600 15px system-ui,sans-serif;fill:#1d2733}"
        ".s{font:12.5px system-ui,sans-serif;fill:#46535f}</style>",
        '<defs><marker id="a" markerWidth="7" markerHeight="7" refX="5" refY="3" orient="auto">'
        '<path d="M0 0 L6 3 L0 6 z" fill="#3b5b8c"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    lane = 0
    for above, below in arrows(set(boxes)):
        (x1, y1, w1), (x2, y2, w2) = boxes[above], boxes[below]
        if level[above] - level[below] == 1:
            # Down the middle of what the two boxes have in common.
            x = (max(x1, x2) + min(x1 + w1, x2 + w2)) / 2
            path = f"M{x:g} {y1 + BOX:g} V{y2 - 5:g}"
        else:
            lane += 1
            right, end = MARGIN + inner, x2 + w2
            turn = right + 18 * lane
            # Into a box that others stand beside from above, past them.
            last = f"H{end + 5:g}" if end == right else f"V{y2 - 14:g} H{x2 + w2 * 0.8:g} V{y2 - 5:g}"
            down = f"V{y2 + BOX / 2 + 5 * lane - 10:g} " if end == right else ""
            path = f"M{x1 + w1:g} {y1 + BOX / 2 + 3 * lane - 6:g} H{turn:g} {down}{last}"
        lines.append(f'<path d="{path}" fill="none" stroke="#3b5b8c" stroke-width="1.5" marker-end="url(#a)"/>')
    for room, (x, y, width) in boxes.items():
        lines += [
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{BOX}" rx="8" fill="#e8eef7" stroke="#3b5b8c" '
            'stroke-width="1.5"/>',
            f'<text x="{x + 12:g}" y="{y + 19:g}" class="t">{escape(room)}</text>',
        ]
        for number, line in enumerate(textwrap.wrap(subject(room), int((width - 24) / LETTER))):
            lines.append(f'<text x="{x + 12:g}" y="{y + 36 + 17 * number:g}" class="s">{escape(line)}</text>')
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(drawn(), encoding="utf-8")
