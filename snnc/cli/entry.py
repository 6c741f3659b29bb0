"""The entry point: runs a command and turns what went wrong into one line and an exit code.

Exit codes: 0 all is well; 1 a check failed; 2 bad input (a :class:`snnc.common.errors.SnncError`, or wrong use of the
command line); 3 an error that nobody foresaw, which is a bug in snnc; 130 interrupted; 143 terminated.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import typer

from snnc.cli.application import application
from snnc.cli.options import Invocation
from snnc.common.errors import ContradictionWarning, SnncError


class Terminated(BaseException):
    """Someone asked us to end; like KeyboardInterrupt no error that anything but the entry point may catch."""


@contextlib.contextmanager
def termination_raises() -> Iterator[None]:
    """Have SIGTERM raise :class:`Terminated`, within the block, in the main thread, where signals are handled."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def warnings_in_one_line() -> Iterator[None]:
    """Show contradictions that a function of the API warns of as commands show warnings, within the block."""
    before = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *arguments: Any, **named: Any) -> None:
        if issubclass(category, ContradictionWarning):
            print(f"warning: {message}", file=sys.stderr)  # noqa: T201
        else:
            before(message, category, *arguments, **named)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before


def _terminate(*_: object) -> None:
    raise Terminated


# Disks, quotas and file sizes that are used up.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_OUT_OF_MEMORY = "memory ran out; take fewer samples or a smaller batch"
# How torch says it, which has exceptions of its own for GPUs only.
_SIGNS_OF_FULL_MEMORY = ("can't allocate memory", "not enough memory", "CUDA out of memory")
FAILED, BAD_INPUT, UNFORESEEN, INTERRUPTED, TERMINATED = 1, 2, 3, 130, 143


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: As typed after ``snnc``; None: those of the process.

    Returns:
        The exit code.
    """
    invocation = Invocation()
    command = typer.main.get_command(application)
    try:
        with termination_raises(), warnings_in_one_line():
            code = command.main(
                None if arguments is None else list(arguments),
                prog_name="snnc",
                standalone_mode=False,
                obj=invocation,
            )
            sys.stdout.flush()
    except SnncError as error:
        origin = invocation.origin(error.where)
        return _fail(f"{error}; {origin}" if origin else str(error), BAD_INPUT, invocation)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Terminated:
        return _fail("terminated", TERMINATED, invocation)
    except BrokenPipeError:
        # Whoever read our output has gone, as in `snnc inspect net | head`.
        _drop_output()
        return 0
    except MemoryError:
        return _fail(_OUT_OF_MEMORY, BAD_INPUT, invocation)
    except OSError as error:
        if error.errno not in _FULL:
            return _unforeseen(error, invocation)
        _drop_output()
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}the output cannot be written ({_words(error)})", BAD_INPUT, invocation)
    except Exception as error:  # noqa: BLE001 - the last resort: one line instead of a traceback
        if any(each in str(error) for each in _SIGNS_OF_FULL_MEMORY):
            return _fail(_OUT_OF_MEMORY, BAD_INPUT, invocation)
        # typer ships its own copy of click or uses the installed one, so its usage errors are told by what they offer.
        message = getattr(error, "format_message", None)
        if message is not None:
            return _fail(_usage(message(), getattr(error, "ctx", None)), BAD_INPUT, invocation)
        return _unforeseen(error, invocation)
    if code == INTERRUPTED:
        return _fail("interrupted", INTERRUPTED, invocation)
    return code if isinstance(code, int) else 0


def _drop_output() -> None:
    """Send what is still to be written to nowhere; Python would complain about it once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _unforeseen(error: Exception, invocation: Invocation) -> int:
    advice = "" if invocation.verbose else "; -v shows where"
    return _fail(f"{type(error).__name__}: {error} (a bug in snnc{advice})", UNFORESEEN, invocation)


def _usage(message: str, context: object) -> str:
    text = message.rstrip(".")
    path = getattr(context, "command_path", "snnc")
    return f"{text[:1].lower()}{text[1:]}; see {path} --help"


def _fail(message: str, code: int, invocation: Invocation) -> int:
    if invocation.verbose and sys.exc_info()[0] is not None:
        traceback.print_exc()
    print(f"error: {' '.join(message.split())}", file=sys.stderr)  # noqa: T201
    return code
