"""Commands in processes that can be killed, limited and watched."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import resource
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# A process of it is there in milliseconds, with everything imported, and has no threads to trip over. It looks for
# modules where Python does by itself, not where the tests do.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        "snnc.api.compile",
        "snnc.cli.application",
        "snnc.finetuning.whole_run",
        "snnc.reporting.program",
        "snnc.runtime.resumable",
        "snnc.runtime.simulator",
    ]
)
# Time in which a command ends on a busy machine.
PATIENCE = 200


@dataclass(frozen=True)
class Limits:
    """What a command has to do with.

    Attributes:
        file_size: Bytes that a file may have; None: any number.
        memory: Bytes of address space beyond what the process has; None: any number.
        as_owner: With the rights of the owner of files alone, where the tests run as root.
        settings: Values for attributes of modules, by their names.
    """

    file_size: int | None = None
    memory: int | None = None
    as_owner: bool = False
    settings: dict[str, Any] = field(default_factory=dict)


NONE = Limits()


def start(folder: Path, *arguments: object, limits: Limits = NONE) -> multiprocessing.process.BaseProcess:
    """A command that runs in a folder; its output goes to ``out`` and ``err`` there."""
    process = SERVER.Process(target=_command, args=(str(folder), [str(each) for each in arguments], limits))
    process.start()
    return process


def run(folder: Path, *arguments: object, limits: Limits = NONE) -> tuple[int | None, str, str]:
    """A command to its end: exit code, stdout, stderr."""
    process = start(folder, *arguments, limits=limits)
    process.join(PATIENCE)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode, (folder / "out").read_text(), (folder / "err").read_text()


def succeed(folder: Path, *arguments: object, limits: Limits = NONE) -> str:
    """A command that has to end well; what it printed."""
    code, out, err = run(folder, *arguments, limits=limits)
    assert code == 0, err
    return out


def kill_after(seconds: float, folder: Path, *arguments: object, limits: Limits = NONE) -> bool:
    """Runs a command and kills it with SIGKILL after some time; whether it was still running."""
    process = start(folder, *arguments, limits=limits)
    process.join(seconds)
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    process.join()
    return process.exitcode != 0


def seconds_of(folder: Path, *arguments: object, limits: Limits = NONE) -> float:
    """How long a command takes that ends well."""
    began = time.monotonic()
    succeed(folder, *arguments, limits=limits)
    return time.monotonic() - began


def files(folder: Path) -> set[str]:
    """Names of the files that a command wrote, but for what a killed one had begun."""
    return {each.name for each in folder.iterdir() if not each.name.startswith(".")} - {"out", "err"}


def handles() -> int:
    """Number of files, sockets and pipes that this process has open."""
    if sys.platform != "linux":
        import pytest  # not for the processes that are started here

        pytest.skip("Linux lists a process's handles")
    return len(list(Path("/proc/self/fd").iterdir()))


def _keep_to_permissions() -> None:
    """Gives up what lets root write where permissions do not (capset(2), capabilities(7))."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    # Effective, permitted and inheritable capabilities, twice 32 of each.
    sets = (ctypes.c_uint32 * 6)()
    library = ctypes.CDLL(None, use_errno=True)
    assert library.capget(header, sets) == 0
    for index in range(3):
        sets[index] &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert library.capset(header, sets) == 0, ctypes.get_errno()


def _command(folder: str, arguments: list[str], limits: Limits) -> None:
    import importlib

    import torch

    from snnc.cli import main

    torch.set_num_threads(1)
    os.chdir(folder)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), number)
    for name, value in limits.settings.items():
        module, _, attribute = name.rpartition(".")
        setattr(importlib.import_module(module), attribute, value)
    if limits.as_owner:
        _keep_to_permissions()
    if limits.memory is not None:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + limits.memory, resource.RLIM_INFINITY))
    if limits.file_size is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_size, resource.RLIM_INFINITY))
    code = main(arguments)
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
