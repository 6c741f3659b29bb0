"""What every network that runs on Lava needs: an engine, a folder for its records, and an end whatever happens."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from snnc.runtime.lava.available import import_lava
from snnc.runtime.lava.engine import DEFAULT_TIMEOUT, Engine, check_models
from snnc.runtime.lava.offspring import Registration
from snnc.runtime.lava.population import Process

_PREFIX = "snnc-lava-"
# Seconds in which a folder that was just made is not yet locked.
_YOUNG = 60.0


class RecordFolder:
    """A new folder among temporary files, locked as long as it is in use.

    Who is killed cannot remove it, but loses the lock: the next one that makes such a folder removes what is not locked
    (flock(2)). Processes that are forked share the lock, and end with the one that made it.

    Attributes:
        path: The folder.
    """

    def __init__(self) -> None:
        _remove_abandoned(Path(tempfile.gettempdir()))
        self._folder = tempfile.TemporaryDirectory(prefix=_PREFIX)
        self.path = Path(self._folder.name)
        handle = os.open(self.path, os.O_RDONLY)
        # Of a network that could not be made nobody removes the folder: then both go with this object.
        self._close = weakref.finalize(self, os.close, handle)
        with contextlib.suppress(OSError):  # where there are no locks nothing can be locked to be removed either
            fcntl.flock(handle, fcntl.LOCK_EX)

    def remove(self) -> None:
        """Remove the folder and everything in it."""
        self._close()
        self._folder.cleanup()


def _remove_abandoned(folder: Path) -> None:
    for path in folder.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # another process was faster, or may do what we may not
            if time.time() - path.stat().st_mtime > _YOUNG:
                _remove_unlocked(path)


def _remove_unlocked(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path)
    finally:
        os.close(handle)


class RunningNetwork:
    """Base of the networks: made before their processes, and told when all of these are there.

    Each of Lava's processes may be a process of the operating system, so a network always has to be stopped
    (:func:`stopped_at_the_end`).

    Raises:
        BackendError: Lava is not installed.
    """

    def __init__(self) -> None:
        import_lava()
        self._registration = Registration()
        self._folder = RecordFolder()

    def _complete(self, process: Process, models: str, timeout: float = DEFAULT_TIMEOUT) -> None:
        """Make the network ready to run.

        Args:
            process: One of its processes: whichever is told runs all that it is connected with.
            models: ``fast`` or ``stock``.
            timeout: Seconds that processes may take to start, and for one call of :meth:`run`.

        Raises:
            OptionError: There are no such models.
        """
        self._engine = Engine(process, check_models(models), timeout)
        self._registration.complete()

    def run(self, steps: int) -> None:
        """Run some steps."""
        self._engine.run(steps)

    def stop(self, *, failed: bool = False) -> None:
        """End every process of the network and remove what they wrote.

        Args:
            failed: Something went wrong, so processes may no longer answer.
        """
        try:
            self._engine.stop(failed=failed)
        finally:
            self._registration.remove()
            self._folder.remove()


Network = TypeVar("Network", bound=RunningNetwork)


@contextmanager
def stopped_at_the_end(network: Network) -> Iterator[Network]:
    """Yield a network as long as the block lasts.

    Args:
        network: The network, ready to run.
    """
    try:
        yield network
    except BaseException:
        network.stop(failed=True)
        raise
    network.stop()
