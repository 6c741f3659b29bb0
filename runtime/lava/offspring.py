"""The processes of the operating system that Lava's runtime starts, none of which may outlive us.

Lava starts one for each process of the network, and waits without end for those that have died.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

# From <sys/prctl.h>: the signal that a process gets when its parent ends.
PR_SET_PDEATHSIG = 1

# Ctrl-C reaches the whole foreground group; the parent alone decides what happens then.
_HELD = {signal.SIGINT, signal.SIGTERM}
_is_starting = False


@contextlib.contextmanager
def offspring() -> Iterator[None]:
    """Processes that are forked in here ignore what interrupts us, and on Linux end when we do, even if we are killed.

    An interruption of ourselves waits until all of them are there to be ended.
    """
    global _is_starting  # noqa: PLW0603 - a hook of fork gets no arguments
    _register()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    _is_starting = True
    try:
        yield
    finally:
        _is_starting = False
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_offspring(runtime: Any) -> None:
    """Kills the processes of a runtime that may no longer answer, and gives back its shared memory.

    Args:
        runtime: Lava's.
    """
    infrastructure = runtime._messaging_infrastructure
    # Else its destructor would ask processes that are gone to stop.
    runtime._is_started = runtime._is_running = False
    if infrastructure is None:
        return
    for actor in infrastructure.actors:
        with contextlib.suppress(ValueError):  # it has ended, and was closed
            actor.kill()
    for actor in infrastructure.actors:
        actor.join()
    if infrastructure.smm is not None:
        infrastructure.smm.shutdown()


@functools.cache
def _register() -> None:
    os.register_at_fork(after_in_child=_end_with_parent)


def _end_with_parent() -> None:
    if _is_starting and sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
