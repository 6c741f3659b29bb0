"""A page, tested: its blocks in order, in one folder and one namespace."""

from __future__ import annotations

import importlib.util
import io
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import yaml

from support.documents.blocks import READ, RUN, Block, read_blocks
from support.documents.checks import CHECKS, PRELUDE, check
from support.documents.commands import CARRIED_OUT, REFUSED, carry_out, forgotten, working_in
from support.documents.output import check_output
from support.documents.python_blocks import check_python, run_python
from support.documents.shell import console_input, run_shell

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class BlockError(Exception):
    """A block does not do what the page says it does."""


def check_page(page: Path, name: str, folder: Path) -> dict[str, int]:
    """Runs the blocks of a page, and checks those that are not to be run.

    Args:
        page: The Markdown file.
        name: How errors call it.
        folder: Where to run them; with stand-ins for what the reader has.

    Returns:
        How many blocks were run, checked and read.

    Raises:
        PageError: A fence or marker cannot be understood.
        BlockError: A block failed; it names the page and the line.
    """
    counts = {"run": 0, "checked": 0, "read": 0}
    runner = _Runner(folder)
    with forgotten(folder):
        for block in read_blocks(page, name):
            try:
                counts[runner.test(block)] += 1
            except Exception as error:
                raise BlockError(f"{block.place}: {type(error).__name__}: {error}\n{block.text}") from error
    return counts


class _Runner:
    """What blocks share: the folder, the names of Python blocks, and what the last one printed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._namespace: dict[str, Any] = {"__name__": "__page__"}
        self._printed: str | None = None

    def test(self, block: Block) -> str:
        """Runs, checks or reads a block, and says which."""
        if block.language in READ:
            {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}[block.language](block.text)
        if block.file is not None:
            self._write(block, self._folder / block.file)
            return "read"
        if block.is_output and self._printed is not None:
            check_output(block.text, self._printed)
        if block.language not in RUN:
            return "read"
        self._printed = self._run(block) if _is_run(block) else None
        if self._printed is not None:
            return "run"
        if block.language == "python":
            check_python(block)
        else:
            run_shell(PRELUDE + _typed(block), self._folder, tuple(CHECKS), check, others=False)
        return "checked"

    def _run(self, block: Block) -> str:
        if block.language != "python":
            return run_shell(_typed(block), self._folder, (*CARRIED_OUT, *REFUSED), carry_out)
        printed = io.StringIO()
        with working_in(self._folder), redirect_stdout(printed):
            run_python(block, self._namespace)
        return printed.getvalue()

    @staticmethod
    def _write(block: Block, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
        if block.language == "python":
            compile(block.text, block.place, "exec")


def _typed(block: Block) -> str:
    """What a reader types of a shell block."""
    return console_input(block.text) if block.language == "console" else block.text


def _is_run(block: Block) -> bool:
    """Whether a block can be run here."""
    return block.reason is None and all(map(_is_installed, block.modules))


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False
