"""A page, tested: its blocks in order, in one folder and one namespace."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import yaml

from documents.blocks import READ, SHELL, Block, read_blocks
from documents.checks import CHECKS, PRELUDE, check
from documents.commands import CARRIED_OUT, REFUSED, carry_out, working_in
from documents.python_blocks import check_python, run_python
from documents.shell import console_input, run_shell

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
    namespace: dict[str, Any] = {"__name__": "__page__"}
    for block in read_blocks(page, name):
        try:
            counts[_test(block, folder, namespace)] += 1
        except Exception as error:
            raise BlockError(f"{block.place}: {type(error).__name__}: {error}\n{block.text}") from error
    return counts


def _test(block: Block, folder: Path, namespace: dict[str, Any]) -> str:
    if block.language in READ:
        {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}[block.language](block.text)
    if block.file is not None:
        (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
        (folder / block.file).write_text(block.text, encoding="utf-8")
        if block.language == "python":
            compile(block.text, block.place, "exec")
        return "read"
    if block.language == "python":
        if not _is_run(block):
            check_python(block)
            return "checked"
        with working_in(folder):
            run_python(block, namespace)
        return "run"
    if block.language in SHELL:
        text = console_input(block.text) if block.language == "console" else block.text
        if not _is_run(block):
            run_shell(PRELUDE + text, folder, tuple(CHECKS), check, others=False)
            return "checked"
        run_shell(text, folder, (*CARRIED_OUT, *REFUSED), carry_out)
        return "run"
    return "read"


def _is_run(block: Block) -> bool:
    """Whether a block can be run here."""
    return block.reason is None and all(map(_is_installed, block.modules))


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False
