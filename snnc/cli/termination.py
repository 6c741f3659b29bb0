"""SIGTERM as an exception, so that whatever was started is ended before we end."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


class Terminated(BaseException):
    """Someone asked us to end; like KeyboardInterrupt no error that anything but the entry point may catch."""


@contextlib.contextmanager
def termination_raises() -> Iterator[None]:
    """Within it, SIGTERM raises :class:`Terminated` in the main thread, where signals are handled."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(*_: object) -> None:
    raise Terminated
