"""Starting the command line: the version, the help, what is imported, and output through pipes."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from support.command_line import Call, process
from support.digits import Folder

from snnc.cli import main

COMMANDS = (
    *("init", "compile", "run", "validate", "diagnose", "inspect", "thresholds", "train", "finetune", "bundle"),
    "export",
    "report",
    "demo",
)


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = "import snnc, snnc.common.errors, snnc.cli, sys; sys.exit('torch' in sys.modules or 'h5py' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_the_version(works: Call) -> None:
    assert works("--version").startswith("snnc 0.")


def test_without_a_command_there_is_help(works: Call) -> None:
    text = works()
    assert all(name in text for name in COMMANDS)
    assert "Exit codes: 0 all is well, 1 a check failed, 2 bad input" in text


def test_the_list_of_commands_says_each_in_full(works: Call) -> None:
    """Four of the lines ended in dots."""
    text = works("--help")
    assert all(f"  {command} " in text for command in COMMANDS)
    assert "..." not in text.partition("Commands:")[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(works: Call, command: str) -> None:
    text = works(command, "--help")
    assert f"  snnc {command}" in text
    assert "--json" in text


def test_the_module_runs_as_a_program() -> None:
    done = process("inspect", "missing.net")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "error: missing.net: no such file\n"


def test_nothing_is_cut_off_when_piped(made: Folder) -> None:
    done = process("inspect", made.net, env={**os.environ, "COLUMNS": "40"})
    assert done.returncode == 0
    assert "…" not in done.stdout
    assert "conv 6×6, 16→32, stride 2, pad 2" in done.stdout
    assert done.stderr == ""


def test_a_closed_pipe_is_no_error(made: Folder) -> None:
    command = f"{sys.executable} -m snnc inspect {made.net} --json | head -c 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "{"
    assert done.stderr == ""


@pytest.mark.parametrize("command", [*sorted(COMMANDS), None])
def test_help_fits_a_terminal_and_breaks_no_name(
    command: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([command, "--help"] if command else ["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    options = lines[next(index for index, line in enumerate(lines) if line.endswith(":")) :]
    assert not [line for line in options if re.search(r"\w-$", line)]
    # Arguments stand by the names that the page of each command has, without what earlier versions took.
    assert not re.search(r"[{}<>]|\[OUT\]", lines[0])
