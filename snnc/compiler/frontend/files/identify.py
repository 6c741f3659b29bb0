"""What a file is, told from its first bytes before anything is unpickled; and what a format has to say for itself.

Each kind of file that can be read is a ``Format`` in a file of its own, which is found by the name ``FORMAT``.
Everything else that users hand to a compiler by mistake is named in the error, so that the mistake is plain.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from snnc.common.errors import ModelError
from snnc.common.file_kinds import LFS_ADVICE, LFS_POINTER, is_lfs_pointer

__all__ = ["HDF5_START", "PICKLE_START", "Format", "Start", "identify"]

_ZIP_START = b"PK\x03\x04"
HDF5_START = b"\x89HDF\r\n\x1a\n"
PICKLE_START = b"\x80"
_TAR_MARK_OFFSET = 257
_HEAD_BYTES = 4096

_SAVE_ADVICE = "save the network with torch.save(model, path)"
_KNOWN_STARTS: tuple[tuple[bytes, str], ...] = (
    (HDF5_START, "an HDF5 file, such as a compiled .net"),
    (b"\x93NUMPY", "a NumPy array file"),
    (b"GGUF", "a GGUF file"),
    (b"\x1f\x8b", "a gzip file"),
)


@dataclass(frozen=True)
class Start:
    """What may be looked at to tell what a file is.

    Attributes:
        path: The file.
        head: Its first 4,096 bytes; all where it has fewer.
    """

    path: Path
    head: bytes

    @property
    def is_zip(self) -> bool:
        """Whether it starts as a zip archive."""
        return self.head.startswith(_ZIP_START)

    @cached_property
    def records(self) -> tuple[str, ...]:
        """Names of the records of a zip archive, as they stand there; none for other files.

        Raises:
            ModelError: The archive's directory cannot be read.
        """
        if not self.is_zip:
            return ()
        try:
            with zipfile.ZipFile(self.path) as archive:
                return tuple(archive.namelist())
        except Exception as error:  # Damage shows as any exception: a missing directory, a text that is none, ...
            raise ModelError(
                "truncated or damaged: its zip directory cannot be read",
                where=str(self.path),
                found=f"{self.path.stat().st_size} bytes: {error}",
                advice="copy or download the file again",
            ) from error

    def has_record(self, *names: str) -> bool:
        """Say whether a record has one of these names, in whatever folder."""
        return any(name.rsplit("/", 1)[-1] in names for name in self.records)


@dataclass(frozen=True)
class Format:
    """A kind of model file.

    Attributes:
        name: What writes it, or what it is called; errors and help list these names.
        recognise: Whether a file is of it.
        read: Reads what the file holds, and runs no code of it: a network, weights, or a container of these. Raises
            ``MalformedFileError`` where the file contradicts itself.
        precedence: Its place among the formats: they are tried in ascending order, and the first that recognises a file
            takes it. A TorchScript archive, for instance, holds what torch.save writes, too.
        read_trusted: Reads it once the user trusts it; None: as ``read`` does.
        runs_code: What reading it runs in any case, so that it is read only if the user trusts it; None: nothing.
        instead: What to do for those who do not trust it.
    """

    name: str
    recognise: Callable[[Start], bool]
    read: Callable[[Path], Any]
    _: KW_ONLY
    precedence: int
    read_trusted: Callable[[Path], Any] | None = None
    runs_code: str | None = None
    instead: str | None = None


def identify(path: Path, formats: Sequence[Format]) -> Format:
    """Find out how a model file was written, without unpickling any of it.

    Args:
        path: The file.
        formats: What it may be; the first one that recognises it is taken.

    Returns:
        What it is.

    Raises:
        ModelError: The file is missing, a folder, empty, unreadable, or no model file; the message says what it is
            instead.
    """
    where = str(path)
    try:
        if path.is_dir():
            raise ModelError("not a model file", where=where, found="a folder", advice=_SAVE_ADVICE)
        # A pipe would make us wait, and a device may never end.
        if path.exists() and not path.is_file():
            raise ModelError("not a model file", where=where, found="a pipe or a device", advice=_SAVE_ADVICE)
        with path.open("rb") as file:
            start = Start(path, file.read(_HEAD_BYTES))
    except FileNotFoundError:
        raise ModelError("no such file", where=where) from None
    except (OSError, ValueError) as error:
        raise ModelError("cannot be opened", where=where, found=str(error)) from error
    # Whatever the file is called: some formats go by that.
    if is_lfs_pointer(start.head):
        raise ModelError(LFS_POINTER, where=where, advice=LFS_ADVICE)
    for each in formats:
        if each.recognise(start):
            return each
    *names, last = (each.name for each in formats)
    raise ModelError(
        "not a model file",
        where=where,
        expected=f"a file of {', '.join(names)} or {last}",
        found=_describe(start),
        advice=_SAVE_ADVICE,
    )


def _describe(start: Start) -> str:
    """Say in a few words what a file is."""
    head = start.head
    if start.is_zip:
        numpy = any(name.endswith(".npy") for name in start.records)
        return "a NumPy .npz file" if numpy else "a zip archive without torch.save's data.pkl"
    if not head:
        return "an empty file"
    for first, name in _KNOWN_STARTS:
        if head.startswith(first):
            return name
    if _ZIP_START.startswith(head) or head == PICKLE_START:
        return f"a truncated file of {len(head)} bytes"
    if head[_TAR_MARK_OFFSET : _TAR_MARK_OFFSET + 5] == b"ustar":
        return "a tar archive (torch before 0.1.10 wrote such files; they are not read)"
    if head[0] == 0x80 and len(head) > 1 and 2 <= head[1] <= 5:
        return "a pickle that torch.save did not write"
    if _is_text(head):
        return "a text file"
    return f"unknown bytes, starting with {head[:4].hex(' ')}"


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        # The head may end in the middle of a character of several bytes.
        if error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    return all(character.isprintable() or character in "\t\r\n\f" for character in text)
