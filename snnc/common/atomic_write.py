"""Writing a file whole, or not at all, and never over what it was made of."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterable
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


def check_writable(path: Path, inputs: Iterable[Path] = ()) -> None:
    """Make sure that a file can be written; leave no trace.

    Args:
        path: The file.
        inputs: What it is made of, or what is read beside that: none of these may be replaced, by whatever name or
            link. They are looked at only where there is a file already.

    Raises:
        OutputError: It is a folder, its folder is missing or cannot be written to, or it is one of the inputs.
    """
    if path.is_dir():
        raise OutputError("cannot be written", where=str(path), found="a folder")
    check_not_replaced(path, inputs)
    try:
        # In the folder of the result, since that is where it is written before it gets its name.
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise OutputError("cannot be written", where=str(path), found=(error.strerror or str(error)).lower()) from error


def check_not_replaced(path: Path, inputs: Iterable[Path]) -> None:
    """Make sure that writing a file would replace none of the inputs, by whatever name or link.

    Args:
        path: The file.
        inputs: What it is made of.

    Raises:
        OutputError: It is one of them.
    """
    try:
        own = path.stat()
    except OSError:  # nothing is there that could be lost
        return
    for each in inputs:
        with contextlib.suppress(OSError):  # whoever reads it says what is wrong with it
            if os.path.samestat(own, each.stat()):
                raise OutputError(
                    "would overwrite what it is made of",
                    where=str(path),
                    expected="a file that is no input of the same command",
                    found=str(each),
                    advice="give another file",
                )


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
