"""The fenced blocks of a Markdown page, and how each is tested.

A page's blocks are run in order, in one folder and one namespace. Four kinds of fences are something else:

- With ``title="FILE"`` behind the language the block is a file that the reader makes; it is written to the folder.
- Behind ``<!-- not run: REASON -->`` it is only checked: what it calls has to exist and to take what it is given.
- Behind ``<!-- run with: NAME, NAME -->`` it is run where these Python modules are installed, else only checked.
- Behind ``<!-- output -->`` a block of text is what the block before it prints, or some lines of that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

SHELL = ("sh", "bash", "console")
RUN = ("python", *SHELL)
# Shown, and checked by nobody but the reader.
SHOWN = ("text", "math")
# Read by a parser of its language.
READ = ("json", "toml", "yaml")

_MARKER = re.compile(r"<!-- (?:(not run|run with): (.+)|(output)) -->")
_REASON_MINIMUM = 10


class PageError(Exception):
    """A page says something about its blocks that nobody understands."""


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: The page's name.
        line: Where its content begins, from 1.
        language: What stands behind the fence.
        text: Its content.
        file: The file that it stands for.
        reason: Why it is not run.
        modules: What has to be installed to run it.
        is_output: Whether it is what the block before it prints.
    """

    page: str
    line: int
    language: str
    text: str
    file: str | None = None
    reason: str | None = None
    modules: tuple[str, ...] = ()
    is_output: bool = False

    @property
    def place(self) -> str:
        """Page and line, as an editor opens them."""
        return f"{self.page}:{self.line}"


def read_blocks(page: Path, name: str) -> list[Block]:
    """The fenced blocks of a page, in order; also those inside of lists and quotations.

    Raises:
        PageError: A fence has no language or one that is not known, or a marker is misspelt or gives no reason.
    """
    blocks = []
    before: Token | None = None
    for token in MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8")):
        if token.type == "fence":
            blocks.append(_block(token, _marker(before, name), name))
        if token.block:
            before = token
    return blocks


def _block(token: Token, marker: tuple[str, str] | None, page: str) -> Block:
    line = (token.map or [0])[0] + 2
    language, _, rest = token.info.strip().partition(" ")
    titled = re.fullmatch(r'title="([\w./-]+)"', rest)
    if language not in (*RUN, *READ, *SHOWN) or (rest and not titled):
        known = ", ".join((*RUN, *READ, *SHOWN))
        raise PageError(
            f'{page}:{line}: a fence says {token.info!r}; it has to be one of {known}, or with title="FILE"'
        )
    kind, text = marker or ("", "")
    if marker and (titled or (language != "text" if kind == "output" else language not in RUN)):
        raise PageError(f"{page}:{line}: the marker {kind!r} is not for such a block")
    return Block(
        page,
        line,
        language,
        token.content,
        file=titled[1] if titled else None,
        reason=text if kind == "not run" else None,
        modules=tuple(re.split(r",\s*", text)) if kind == "run with" else (),
        is_output=kind == "output",
    )


def _marker(token: Token | None, page: str) -> tuple[str, str] | None:
    """What the comment before a block says: its kind, and the rest."""
    if token is None or token.type != "html_block":
        return None
    text = token.content.strip()
    found = _MARKER.fullmatch(text)
    if not found or (found[1] == "not run" and len(found[2]) < _REASON_MINIMUM):
        raise PageError(
            f"{page}: before a block stands {text!r}; it has to be 'not run: REASON', 'run with: MODULES' or 'output'"
        )
    return found[1] or found[3], found[2] or ""
