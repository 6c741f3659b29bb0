"""What a page's shell blocks may call, carried out."""

from __future__ import annotations

import importlib
import io
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from snnc.cli import main
from support.documents.shell import Answer, Call

CARRIED_OUT = ("snnc", "python")
# They change the machine, or take long.
REFUSED = ("apt-get", "curl", "docker", "git", "make", "pip", "pyenv", "sudo", "torchrun", "uv", "wget")


def carry_out(call: Call) -> Answer:
    """Runs ``snnc`` in this process, and Python in another one."""
    if call.name == "snnc":
        return _snnc(call)
    if call.name == "python":
        command = [sys.executable, *call.arguments]
        found = subprocess.run(command, cwd=call.folder, capture_output=True, text=True, check=False)
        return Answer(found.returncode, found.stdout, found.stderr)
    return Answer(1, err=f"{call}: tests do not run this; put '<!-- not run: REASON -->' before the block\n")


def _snnc(call: Call) -> Answer:
    out, err = io.StringIO(), io.StringIO()
    with working_in(call.folder), redirect_stdout(out), redirect_stderr(err):
        code = main(call.arguments)
    return Answer(code, out.getvalue(), err.getvalue())


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """The working directory, for a while; modules of the reader are found there."""
    before = Path.cwd()
    path = list(sys.path)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()  # a block before may have made a module
    try:
        yield
    finally:
        os.chdir(before)
        sys.path[:] = path


@contextmanager
def forgotten(folder: Path) -> Iterator[None]:
    """Afterwards, modules that lie in a folder are imported anew: another page may have others of their names."""
    try:
        yield
    finally:
        for name, module in list(sys.modules.items()):
            # A folder without __init__.py has a path and no file.
            # Newer versions of PyTorch have modules that invent each attribute they are asked for.
            path = getattr(module, "__path__", ())
            places = [getattr(module, "__file__", None), *(path if isinstance(path, Iterable) else ())]
            if any(isinstance(place, str) and Path(place).is_relative_to(folder) for place in places):
                del sys.modules[name]
