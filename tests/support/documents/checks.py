"""Commands that are not carried out: whether they exist and take what they are given."""

from __future__ import annotations

import argparse
import io
import re
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

import typer
import yaml
from torch.distributed.run import get_args_parser

from snnc.cli.application import application
from snnc.cli.options import Invocation
from support.documents.commands import working_in
from support.documents.shell import Answer, Call

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[3]
COMPOSE = ROOT / "docker" / "compose.yaml"
# Scripts that a reader has elsewhere than in a clone.
ELSEWHERE = {"run_lab.py": ROOT / "runtime" / "hardware" / "lab_script" / "run_lab.py"}
# A folder that an earlier command would have made is made; nothing else on the machine can be called.
PRELUDE = """\
cd() { [ -d "$1" ] || /bin/mkdir -p "$1"; builtin cd "$1"; }
source() { [ "$*" = .venv/bin/activate ]; }
"""


class CheckError(Exception):
    """A command that would not work."""


class _ArgumentsReadError(Exception):
    """A script has read its arguments, which is all that is wanted of it."""


def check(call: Call) -> Answer:
    """Whether a command would be understood; nothing is carried out."""
    try:
        CHECKS[call.name](call)
    except CheckError as error:
        return Answer(2, err=f"{call}: {error}\n")
    return Answer()


def _snnc(call: Call) -> None:
    command: Any = typer.main.get_command(application)
    for each in command.commands.values():
        each.callback = lambda **_options: 0
    try:
        with _silent():
            command.main([*call.arguments], prog_name="snnc", standalone_mode=False, obj=Invocation())
    except Exception as error:
        # typer ships its own copy of click or uses the installed one.
        raise CheckError(error.format_message() if hasattr(error, "format_message") else str(error)) from error


def _python(call: Call) -> None:
    if call.arguments[:2] == ("-m", "snnc"):
        _snnc(Call(call.folder, "snnc", call.arguments[2:]))
        return
    name, arguments = call.arguments[0], call.arguments[1:]
    places = [call.folder / name, ROOT / name, ELSEWHERE.get(name, ROOT / name)]
    script = next((each for each in places if each.exists()), None)
    if script is None:
        raise CheckError(f"there is no script {name}")
    _parse(script, arguments, call.folder)


def _parse(script: Path, arguments: Sequence[str], folder: Path) -> None:
    """Runs a script until it has read its arguments."""
    parse = argparse.ArgumentParser.parse_args

    def stop(parser: argparse.ArgumentParser, *given: Any, **named: Any) -> None:
        parse(parser, *given, **named)
        raise _ArgumentsReadError

    own = script if script.is_dir() else script.parent
    said = io.StringIO()
    try:
        with (
            working_in(folder),
            _modules_of(own),
            mock.patch.object(sys, "argv", [str(script), *arguments]),
            mock.patch.object(argparse.ArgumentParser, "parse_args", stop),
            redirect_stderr(said),
        ):
            runpy.run_path(str(script), run_name="__main__")
    except _ArgumentsReadError:
        return
    except SystemExit as ended:
        if ended.code in (0, None):  # --help
            return
    raise CheckError(f"its arguments are not understood\n{said.getvalue()}")


@contextmanager
def _modules_of(folder: Path) -> Iterator[None]:
    """Modules beside a script are imported from there, and forgotten; tests have some of the same names."""
    names = {each.stem for each in folder.glob("*.py")} | {each.parent.name for each in folder.glob("*/__init__.py")}
    hidden = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(hidden)


def _torchrun(call: Call) -> None:
    with _usage():
        found = get_args_parser().parse_args([*call.arguments])
    if found.training_script != "snnc" or not found.module:
        raise CheckError("it has to start -m snnc")
    _snnc(Call(call.folder, "snnc", tuple(found.training_script_args)))


def _make(call: Call) -> None:
    command = ["make", "--dry-run", "--directory", str(ROOT), *call.arguments]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        raise CheckError(found.stderr)


def _docker(call: Call) -> None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("compose", choices=["compose"])
    parser.add_argument("--file", "-f", type=Path)
    parser.add_argument("action", choices=["build", "run"])
    parser.add_argument("--rm", action="store_true")
    parser.add_argument("--build", action="store_true")
    parser.add_argument("service")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    with _usage():
        found = parser.parse_args([*call.arguments])
    file = ROOT / found.file if found.file else None
    if file != COMPOSE:
        raise CheckError(f"from a clone it has to say --file {COMPOSE.relative_to(ROOT)}")
    services = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    if found.service not in services:
        raise CheckError(f"{COMPOSE.name} has no service {found.service}")
    if found.command and (found.command[0] not in ("snnc", "python")):
        raise CheckError(f"nobody knows whether the container has {found.command[0]}")
    if found.command:
        CHECKS[found.command[0]](Call(call.folder, found.command[0], tuple(found.command[1:])))


def _pip(call: Call) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for argument in call.arguments:
        for name in (each for group in re.findall(r"^(?:snnc|\.)\[(.+)\]$", argument) for each in group.split(",")):
            if name not in extras:
                raise CheckError(f"there is no extra {name}")


def _others(call: Call) -> None:
    """A tool of others, with what pages use of it."""
    allowed = {
        "git": ("clone",),
        "mkdir": ("-p",),
        "pyenv": ("install",),
        "tar": ("xzf",),
        "uv": ("python",),
    }[call.name]
    if not call.arguments or call.arguments[0] not in allowed:
        raise CheckError(f"expected {call.name} {' or '.join(allowed)}")


CHECKS: dict[str, Callable[[Call], None]] = {
    "docker": _docker,
    "git": _others,
    "make": _make,
    "mkdir": _others,
    "pip": _pip,
    "pyenv": _others,
    "python": _python,
    "snnc": _snnc,
    "tar": _others,
    "torchrun": _torchrun,
    "uv": _others,
}


@contextmanager
def _silent() -> Iterator[None]:
    with redirect_stdout(io.StringIO()):
        yield


@contextmanager
def _usage() -> Iterator[None]:
    """Turns what argparse says and does about wrong arguments into an error."""
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            yield
    except (SystemExit, argparse.ArgumentError) as error:
        raise CheckError(said.getvalue() or str(error)) from error
