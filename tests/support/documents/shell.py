"""Shell blocks, run by bash; the commands that matter are answered by the test's own process.

On the path of that bash stand small programs with these commands' names. Each sends what it was called with over a
socket, and gives back the answer's output and exit code. So loops, variables, pipes and ``cd`` mean what they mean to a
reader, and snnc need not be imported anew for each line.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_CALLER = """\
#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as line:
    line.connect(os.environ["DOCUMENTS_SOCKET"])
    line.sendall(json.dumps([os.getcwd(), os.path.basename(sys.argv[0]), *sys.argv[1:]]).encode())
    line.shutdown(socket.SHUT_WR)
    out, err, code = json.loads(b"".join(iter(lambda: line.recv(1 << 16), b"")))
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
"""
_BASH = shutil.which("bash") or "bash"
_SECONDS = 240.0
_LOOK = 0.05


@dataclass(frozen=True)
class Call:
    """A command that a block calls.

    Attributes:
        folder: Where.
        name: The program.
        arguments: What stands behind it.
    """

    folder: Path
    name: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return shlex.join([self.name, *self.arguments])


@dataclass(frozen=True)
class Answer:
    """What a command does.

    Attributes:
        code: Its exit code.
        out: What it writes.
        err: What it says.
    """

    code: int = 0
    out: str = ""
    err: str = ""


class ShellError(Exception):
    """A block ended with an exit code other than 0."""


def run_shell(
    text: str, folder: Path, names: Sequence[str], answer: Callable[[Call], Answer], *, others: bool = True
) -> str:
    """Runs a block until its end, or the first command that fails.

    Args:
        text: The block.
        folder: Where to run it.
        names: The commands that ``answer`` answers.
        answer: Carries out a command.
        others: Whether the machine's other commands can be called too.

    Returns:
        What the block wrote.

    Raises:
        ShellError: A command failed; with all that was written.
    """
    # Not below the test's own folder: paths of sockets are short.
    with tempfile.TemporaryDirectory() as scratch, socket.socket(socket.AF_UNIX) as listener:
        place = Path(scratch)
        for name in names:
            caller = place / name
            caller.write_text(_CALLER.format(python=sys.executable))
            caller.chmod(0o755)
        listener.bind(str(place / "socket"))
        listener.listen()
        listener.settimeout(_LOOK)
        environment = {
            **os.environ,
            "PATH": f"{scratch}{os.pathsep}{os.environ['PATH']}" if others else scratch,
            "DOCUMENTS_SOCKET": str(place / "socket"),
        }
        with (place / "output").open("w+", encoding="utf-8") as output:
            # Aliases and functions of whoever runs the tests play no part.
            command = [_BASH, "--noprofile", "--norc", "-eo", "pipefail", "-c", text]
            with subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output) as shell:
                try:
                    _serve(shell, listener, answer)
                finally:
                    shell.kill()
            output.seek(0)
            written = output.read()
    if shell.returncode:
        raise ShellError(f"exit code {shell.returncode}\n{written}")
    return written


def console_input(text: str) -> str:
    """What is typed in a block that shows output too: the lines behind ``$``."""
    return "".join(f"{line[2:]}\n" for line in text.splitlines() if line.startswith("$ "))


def _serve(shell: subprocess.Popen[bytes], listener: socket.socket, answer: Callable[[Call], Answer]) -> None:
    for _ in range(round(_SECONDS / _LOOK)):
        try:
            line, _address = listener.accept()
        except TimeoutError:
            if shell.poll() is not None:
                return
            continue
        with line, line.makefile("rb") as asked:
            line.settimeout(None)
            folder, name, *arguments = json.load(asked)
            given = answer(Call(Path(folder), name, tuple(arguments)))
            line.sendall(json.dumps([given.out, given.err, given.code]).encode())
    raise ShellError(f"not done after {_SECONDS:g} s of waiting")
