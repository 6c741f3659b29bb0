"""Writing a file whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path

from snnc.common.errors import OutputError

_SUFFIX = ".part"
# What a process that was killed left behind is removed after so many seconds: nobody takes so long to write a file.
_ABANDONED = 3600.0


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file beside its place and rename it, so that nobody ever sees half of it.

    Args:
        path: The file; one that exists is replaced.
        content: All of it.

    Raises:
        OutputError: The file cannot be written; what was there before is still there.
    """
    destination = Path(path)
    prefix = f".{destination.name}."
    temporary = None
    try:
        if destination.exists() and not destination.is_file():
            raise OutputError("is not a regular file", where=str(path), advice="choose another path")
        _remove_abandoned(destination.parent, prefix)
        # In the same folder, since a file can be renamed atomically only within a file system.
        with tempfile.NamedTemporaryFile(dir=destination.parent, prefix=prefix, suffix=_SUFFIX, delete=False) as file:
            temporary = Path(file.name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(destination)
    except OSError as error:
        raise OutputError("cannot be written", where=str(path), found=(error.strerror or str(error)).lower()) from error
    finally:
        # Once renamed, there is nothing left under that name.
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _remove_abandoned(folder: Path, prefix: str) -> None:
    """Remove what writers of the same file left that were killed."""
    for path in folder.iterdir():
        if path.name.startswith(prefix) and path.name.endswith(_SUFFIX):
            with contextlib.suppress(OSError):  # another process was faster, or may do what we may not
                if time.time() - path.stat().st_mtime > _ABANDONED:
                    path.unlink()


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
