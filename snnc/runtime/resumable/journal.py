"""A file that grows by whole records and belongs to one run at a time.

Layout: ``MAGIC``, then records, each of a length of 8 bytes, a CRC-32 of 4 bytes (both little-endian) and so many bytes
of content. The first record says, as JSON, what the file belongs to. A record that a killed process left unfinished
fails its checksum or its length, and is cut off when the file is opened the next time.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from snnc.common.errors import OutputError

MAGIC = b"snnc unfinished run 1\n"
_PREFIX = struct.Struct("<QI")
# What a file system says that knows no locks: then two runs at once are not noticed.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
# Digits of a hash that an error shows.
_DIGITS = 12


class Journal:
    """The file, opened and locked; to be closed, or used as a context.

    Args:
        path: Where it is or will be.
        identity: What it belongs to: what its records depend on.

    Raises:
        OutputError: It cannot be written, another process has it open, or it belongs to something else; it is then
            left as it was.

    Attributes:
        records: What earlier processes appended.
    """

    def __init__(self, path: Path, identity: Mapping[str, object]) -> None:
        self._path = path
        self._file = self._opened()
        self.records: list[bytes] = []
        self._is_empty = True
        try:
            self._read(identity)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, content: bytes) -> None:
        """Add a record; it is on the disk when this returns.

        Raises:
            OutputError: It cannot be written; the records before are still there.
        """
        self._write(_record(content))
        self._is_empty = False

    def close(self) -> None:
        """Let go of the file, which is removed if it holds nothing yet."""
        if self._file.closed:
            return
        if self._is_empty:
            self._path.unlink(missing_ok=True)
        self._file.close()

    def remove(self) -> None:
        """Remove the file: what it belongs to is done."""
        self._is_empty = True
        self.close()

    def _opened(self) -> BinaryIO:
        """Return the file, of which this process holds the lock."""
        while True:
            try:
                number = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
                file = os.fdopen(number, "r+b", buffering=0)
            except OSError as error:
                raise self._unwritable(error) from error
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                raise OutputError(
                    "is in use by another run",
                    where=str(self._path),
                    advice="wait for it to end, or leave --resume out",
                ) from None
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    file.close()
                    raise self._unwritable(error) from error
            # Whoever held the lock before may have removed the file meanwhile.
            with contextlib.suppress(FileNotFoundError):
                if self._path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                    return file
            file.close()

    def _read(self, identity: Mapping[str, object]) -> None:
        """Read the records; write the first one where there is none."""
        content = self._file.read()
        header = json.dumps(dict(identity), sort_keys=True).encode()
        begin = MAGIC + _record(header)
        # A process that was killed may have left a part of the beginning.
        if begin.startswith(content) and len(content) < len(begin):
            self._cut(0)
            self._write(begin)
            return
        if not content.startswith(MAGIC):
            raise OutputError(
                "exists and is no unfinished run", where=str(self._path), advice="move it away, or leave --resume out"
            )
        records, end = _records(content, len(MAGIC))
        if not records:
            raise OutputError("is damaged", where=str(self._path), advice="delete it to begin anew")
        _check_same(json.loads(records[0]), identity, self._path)
        self._cut(end)
        self.records = records[1:]
        self._is_empty = not self.records

    def _write(self, content: bytes) -> None:
        before = self._file.tell()
        try:
            left = memoryview(content)
            while left:
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                self._cut(before)
            raise self._unwritable(error) from error

    def _cut(self, end: int) -> None:
        self._file.truncate(end)
        self._file.seek(end)

    def _unwritable(self, error: OSError) -> OutputError:
        return OutputError("cannot be written", where=str(self._path), found=(error.strerror or str(error)).lower())


def _record(content: bytes) -> bytes:
    return _PREFIX.pack(len(content), zlib.crc32(content)) + content


def _records(content: bytes, start: int) -> tuple[list[bytes], int]:
    """Return the whole records from a place on, and the place after the last one."""
    records = []
    while start + _PREFIX.size <= len(content):
        length, checksum = _PREFIX.unpack_from(content, start)
        record = content[start + _PREFIX.size : start + _PREFIX.size + length]
        if len(record) < length or zlib.crc32(record) != checksum:
            break
        records.append(record)
        start += _PREFIX.size + length
    return records, start


def _check_same(found: Mapping[str, object], expected: Mapping[str, object], path: Path) -> None:
    differing = [name for name in expected if found.get(name) != expected[name]]
    if differing:
        raise OutputError(
            "holds another run that is not finished",
            where=str(path),
            expected=", ".join(f"{name} {_shown(expected[name])}" for name in differing),
            found=", ".join(f"{name} {_shown(found.get(name))}" for name in differing),
            advice="finish that one first, or delete the file to begin anew",
        )


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 2 * _DIGITS else f"{text[:_DIGITS]}..."
