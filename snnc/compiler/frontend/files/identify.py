"""Tells from its first bytes what a file is, before anything is unpickled.

Each kind of file that can be read has a reader of its own. Everything else that users hand to a compiler by mistake is
named in the error, so that the mistake is plain.
"""

from __future__ import annotations

import io
import zipfile
from enum import Enum
from pathlib import Path

from snnc.common.errors import ModelError
from snnc.compiler.frontend.files.tensors import MalformedFileError
from snnc.program.nir.package import looks_like_nir

__all__ = ["FileKind", "Records", "find_pickle_record", "identify"]


class Records:
    """The records of an archive.

    Attributes:
        names: Their names.

    Raises:
        MalformedFileError: Two of them have the same name, or share bytes.
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._by_name = {info.filename: info for info in archive.infolist()}
        if len(self._by_name) != len(archive.infolist()):
            raise MalformedFileError("two records of its zip archive have the same name")
        # Records that lie within each other would be read into many times the file's size.
        total, available = sum(info.compress_size for info in archive.infolist()), _size(archive)
        if total > available:
            raise MalformedFileError(f"the records of its zip archive have {total} bytes, and the file {available}")
        self.names = tuple(self._by_name)

    def read(self, name: str) -> bytes:
        """Read one record.

        Raises:
            MalformedFileError: There is no such record, it is compressed, or damaged.
        """
        info = self._by_name.get(name)
        if info is None:
            raise MalformedFileError(f"it lacks the record {name}")
        # PyTorch does not compress values: a compressed record may grow to any size.
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise MalformedFileError(f"its record {name} is compressed")
        try:
            return self._archive.read(info)
        except Exception as error:  # Damage shows as any exception: a wrong checksum, a text that is none, ...
            raise MalformedFileError(f"its record {name} is damaged: {error}") from error


def _size(archive: zipfile.ZipFile) -> int:
    assert archive.fp is not None
    return archive.fp.seek(0, io.SEEK_END)


_HDF5_START = b"\x89HDF\r\n\x1a\n"
_ZIP_START = b"PK\x03\x04"
# torch.save's older format starts with a pickle of this very number (torch.serialization.MAGIC_NUMBER), which comes
# after a few bytes that depend on the pickle protocol.
_PICKLE_START = b"\x80"
_STREAM_NUMBER = b"\x8a\x0al\xfc\x9cF\xf9\x20j\xa8P\x19."
_STREAM_NUMBER_WITHIN = 32
_TAR_MARK_OFFSET = 257
_HEAD_BYTES = 4096

_EXPECTED = "a file of torch.save or torch.export.save, TorchScript, ONNX, NIR or safetensors"
_SAVE_ADVICE = "save the network with torch.save(model, path)"
_KNOWN_STARTS: tuple[tuple[bytes, str], ...] = (
    (_HDF5_START, "an HDF5 file, such as a compiled .net"),
    (b"\x93NUMPY", "a NumPy array file"),
    (b"GGUF", "a GGUF file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"version https://git-lfs", "a Git LFS pointer, whose content was not pulled"),
)


class FileKind(Enum):
    """What a model file may be; the first two are ways in which ``torch.save`` has written files."""

    ZIP = "zip"
    STREAM = "stream"
    EXPORTED = "a torch.export program"
    TORCHSCRIPT = "a TorchScript archive"
    SAFETENSORS = "a safetensors file"
    ONNX = "an ONNX file"
    NIR = "a NIR graph"


def identify(path: Path) -> FileKind:
    """Find out how a model file was written, without unpickling any of it.

    Args:
        path: The file.

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
            head = file.read(_HEAD_BYTES)
    except FileNotFoundError:
        raise ModelError("no such file", where=where) from None
    except (OSError, ValueError) as error:
        raise ModelError("cannot be opened", where=where, found=str(error)) from error
    if head.startswith(_ZIP_START):
        return _identify_zip(path)
    if head.startswith(_PICKLE_START) and _STREAM_NUMBER in head[:_STREAM_NUMBER_WITHIN]:
        return FileKind.STREAM
    if _is_safetensors(head):
        return FileKind.SAFETENSORS
    if _is_onnx(head, path):
        return FileKind.ONNX
    if head.startswith(_HDF5_START) and looks_like_nir(path):
        return FileKind.NIR
    raise ModelError(
        "not a model file",
        where=where,
        expected=_EXPECTED,
        found=_describe(head),
        advice=_SAVE_ADVICE,
    )


def find_pickle_record(archive: zipfile.ZipFile) -> str | None:
    """Find the record of a ``torch.save`` archive that holds the pickle.

    Args:
        archive: An open zip archive.

    Returns:
        Its name, ``<folder>/data.pkl``, or None where there is no such record or more than one.
    """
    names = [name for name in archive.namelist() if name.endswith("/data.pkl") and name.count("/") == 1]
    return names[0] if len(names) == 1 else None


def _identify_zip(path: Path) -> FileKind:
    """Tell apart the zip archives that PyTorch writes, and refuse others."""
    where = str(path)
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            pickle_record = find_pickle_record(archive)
    except Exception as error:  # Damage shows as any exception: a missing directory, a text that is none, ...
        raise ModelError(
            "truncated or damaged: its zip directory cannot be read",
            where=where,
            found=f"{path.stat().st_size} bytes: {error}",
            advice="copy or download the file again",
        ) from error
    leaves = {name.rsplit("/", 1)[-1] for name in names}
    if "constants.pkl" in leaves:
        return FileKind.TORCHSCRIPT
    if pickle_record is not None:
        return FileKind.ZIP
    if leaves & {"serialized_exported_program.json", "archive_format"}:
        return FileKind.EXPORTED
    numpy = any(name.endswith(".npy") for name in names)
    raise ModelError(
        "not a model file",
        where=where,
        expected=_EXPECTED,
        found="a NumPy .npz file" if numpy else "a zip archive without torch.save's data.pkl",
        advice=_SAVE_ADVICE,
    )


def _is_safetensors(head: bytes) -> bool:
    return len(head) > 9 and head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= 100_000_000


def _is_onnx(head: bytes, path: Path) -> bool:
    # ONNX files have no mark of their own: they begin with the format's version and the program that wrote them.
    return bool(head) and (path.suffix.lower() == ".onnx" or (head[0] == 0x08 and b"pytorch" in head[:64]))


def _describe(head: bytes) -> str:
    """Say in a few words what a file that starts with ``head`` is."""
    if not head:
        return "an empty file"
    for start, name in _KNOWN_STARTS:
        if head.startswith(start):
            return name
    if _ZIP_START.startswith(head) or head == _PICKLE_START:
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
