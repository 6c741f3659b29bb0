"""What pages mention besides their blocks: commands, calls, paths and links, in prose and tables too."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from support.documents.blocks import SHELL, read_blocks

# What ends a command in a shell block, and how others than the shell start snnc.
_ENDS = {"|", "&&", ";", "||", ">", "2>", "<", "do", "done", "&"}
_STARTS = (("snnc",), ("python", "-m", "snnc"), ("-m", "snnc"))


def spans(text: str) -> Iterator[tuple[int, str]]:
    """Yield the inline code of a page, each with the line of its paragraph, from 1."""
    for token, line in _inline(text):
        if token.type == "code_inline":
            yield line, " ".join(token.content.split())


def links(text: str) -> Iterator[tuple[int, str]]:
    """Yield what a page links to, or shows as a picture, each with the line of its paragraph, from 1."""
    for token, line in _inline(text):
        place = token.attrGet("href") or token.attrGet("src")
        if place:
            yield line, str(place)


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as code hosts and the site name them, and of what it has described."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    titles = [after.content for token, after in itertools.pairwise(tokens) if token.type == "heading_open"]
    plain = [re.sub(r"\[(.+?)\]\(.+?\)", r"\1", each).replace("`", "") for each in titles]
    described = re.findall(r"^::: (\S+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).strip().replace(" ", "-") for each in plain} | {*described}


def typed_commands(page: Path, name: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each call of snnc in a page's shell blocks, with its place: what follows ``snnc``, as bash splits it."""
    for block in read_blocks(page, name):
        if block.language in SHELL:
            lines = block.text.replace("\\\n", "  ").splitlines()
            for number, line in enumerate(lines):
                for words in commands_of(line.removeprefix("$ ")):
                    yield f"{name}:{block.line + number}", words


def commands_of(line: str) -> Iterator[list[str]]:
    """Yield the arguments of each call of snnc in a line of shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    try:
        words = [*lexer, ";"]
    except ValueError:  # part of a quotation over several lines
        return
    start = None
    for place, word in enumerate(words):
        if start is not None and word in _ENDS:
            yield words[start:place]
            start = None
        elif word == "snnc" and words[place + 1] == "snnc":  # a service of Docker's, and then the command
            continue
        elif start is None and any(tuple(words[max(0, place + 1 - len(each)) : place + 1]) == each for each in _STARTS):
            start = place + 1


def _inline(text: str) -> Iterator[tuple[Token, int]]:
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        for child in token.children or ():
            yield child, (token.map or [0])[0] + 1
