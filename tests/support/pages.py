"""Reading a report's page as a browser would: its text, tables and pictures."""

from __future__ import annotations

import base64
from html.parser import HTMLParser

# Elements that have no end.
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """A page, taken apart.

    Attributes:
        text: All text outside style sheets, with single blanks.
        tables: For each table its rows, the titles first; a row is a list of texts.
        pictures: By what they show, their content.
        addresses: All that the page refers to.
        sections: The texts of its second headings.
        bars: The widths of all bars' parts by their colour, in percent.
    """

    def __init__(self, content: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[str]]] = []
        self.pictures: dict[str, bytes] = {}
        self.addresses: list[str] = []
        self.sections: list[str] = []
        self.bars: dict[str, list[float]] = {}
        self._open: list[str] = []
        self._words: list[str] = []
        self.feed(content)
        self.close()
        assert self._open == [], "elements that are not closed"
        self.text = " ".join(" ".join(self._words).split())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self.addresses += [given[name] for name in ("src", "href") if name in given]
        if tag == "img":
            kind, _, content = given["src"].partition(";base64,")
            assert kind in ("data:image/png", "data:image/svg+xml")
            assert given["alt"] and int(given["width"]) > 0 and int(given["height"]) > 0
            self.pictures[f"{len(self.pictures)} {given['alt']}"] = base64.b64decode(content)
        elif tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        elif tag == "h2":
            self.sections.append("")
        elif tag == "i" and "style" in given:
            self.bars.setdefault(given["class"], []).append(float(given["style"].removeprefix("width:")[:-1]))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self._words.append(data)
        if "td" in self._open or "th" in self._open:
            cells = self.tables[-1][-1]
            cells[-1] = " ".join(f"{cells[-1]} {data}".split())
        elif "h2" in self._open:
            self.sections[-1] += data

    def table(self, *titles: str) -> list[dict[str, str]]:
        """The rows of the one table that has these titles, by title."""
        (rows,) = [each for each in self.tables if set(titles) <= set(each[0])]
        return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
