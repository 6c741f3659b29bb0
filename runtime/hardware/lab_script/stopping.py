"""Ending Lava's processes whatever happens; each may be a process of the operating system."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

# From <sys/prctl.h>: the signal that a process gets when its parent ends.
PR_SET_PDEATHSIG = 1

_was_interrupted = False


@contextlib.contextmanager
def stopped_at_the_end(process: Any) -> Iterator[None]:
    """Within it a network runs; where that fails, its processes may no longer answer, and are killed.

    Args:
        process: Any process of the network.
    """
    try:
        yield
        process.stop()
    except BaseException:
        _end(process.runtime)
        raise


def _end(runtime: Any) -> None:
    """Kills Lava's processes and gives back its shared memory, however far it got."""
    infrastructure = getattr(runtime, "_messaging_infrastructure", None)
    for actor in getattr(infrastructure, "actors", ()):
        with contextlib.suppress(ValueError):  # it has ended, and was closed
            actor.kill()
            actor.join()
    manager: Any = getattr(infrastructure, "smm", None)
    # It can be shut down once it has been started.
    if hasattr(manager, "shutdown"):
        manager.shutdown()
    for process in multiprocessing.active_children():
        process.kill()
        process.join()
    if runtime is not None:
        # Else its destructor would wait for processes that are gone.
        runtime._is_started = runtime._is_running = False


def watch_offspring() -> None:
    """Processes started from here on leave Ctrl-C to us, whom it reaches too, and on Linux end when we do.

    What terminates us ends them first.
    """
    os.register_at_fork(after_in_child=_begin)
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def check_interrupt() -> None:
    """Raises KeyboardInterrupt where one was raised before and got lost.

    Python drops what is raised while it starts a process.
    """
    if _was_interrupted:
        raise KeyboardInterrupt


def _interrupt(*_: object) -> None:
    global _was_interrupted  # a signal handler has no other way to leave something behind
    _was_interrupted = True
    raise KeyboardInterrupt


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
