"""What joblib's threads say of work that was taken from them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

# Name of the thread that hands work out (loky's process_executor.py).
_THREAD = "ExecutorManagerThread"


@contextlib.contextmanager
def no_complaints_when_interrupted() -> Iterator[None]:
    """Where joblib's work is interrupted within it, joblib's thread fails in silence.

    loky takes the work that waits away from the thread that is about to hand it out, which then finds it missing and
    prints a traceback, while the interruption is still on its way here. So what that thread says is held back until it
    is known how the work ended; a run that is not interrupted says it then. All other threads are heard as ever.
    """
    usual = threading.excepthook
    held: list[threading.ExceptHookArgs] = []

    def hold(arguments: threading.ExceptHookArgs) -> None:
        if arguments.thread is not None and arguments.thread.name == _THREAD:
            held.append(arguments)
        else:
            usual(arguments)

    threading.excepthook = hold
    is_interrupted = True
    try:
        yield
        is_interrupted = False
    except Exception:
        is_interrupted = False
        raise
    finally:
        # After an interruption the thread may still be about to fail.
        if not is_interrupted:
            threading.excepthook = usual
            for arguments in held:
                usual(arguments)
