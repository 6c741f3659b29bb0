"""A folder that a network's processes write to, of which nothing stays behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
import weakref
from pathlib import Path

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
        """Removes the folder and everything in it."""
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
