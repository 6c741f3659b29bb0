"""Writing a file whole, or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from snnc.errors import OutputError


def write_whole(path: str | Path, content: bytes) -> None:
    """Writes a file beside its place and renames it, so that nobody ever sees half of it.

    Args:
        path: The file; one that exists is replaced.
        content: All of it.

    Raises:
        OutputError: The file cannot be written; what was there before is still there.
    """
    destination = Path(path)
    temporary = None
    try:
        if destination.exists() and not destination.is_file():
            raise OutputError("is not a regular file", where=str(path), advice="choose another path")
        # In the same folder, since a file can be renamed atomically only within a file system.
        with tempfile.NamedTemporaryFile(dir=destination.parent, prefix=f".{destination.name}.", delete=False) as file:
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


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
