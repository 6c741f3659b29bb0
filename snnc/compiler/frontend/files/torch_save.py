"""Reads files written by ``torch.save``, of both kinds, through the restricted unpickler and without ``torch.load``.

``torch.load`` hands tar archives to another reader and TorchScript archives to a third one; here only the two formats
below are read. Values are read into memory that is bounded by the file's own size.
"""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path
from typing import IO, Any

import torch
from torch import nn

from snnc.compiler.frontend.files.identify import FileKind, Records, find_pickle_record
from snnc.compiler.frontend.files.tensors import MalformedFileError, StorageType, StoredValues, storage_bytes
from snnc.compiler.frontend.files.unpickle import RestrictedUnpickler

__all__ = ["read_archive", "read_restricted"]

_STREAM_PROTOCOL = 1001
_COUNT_BYTES = 8


def read_restricted(path: Path, kind: FileKind) -> Any:
    """Read a model file without running any code that it brings or names.

    Args:
        path: The file.
        kind: How it was written, from ``identify``.

    Returns:
        What was saved: numbers, strings, containers, tensors, layers; all tensors on the CPU.

    Raises:
        UntrustedModelError: The file names something that is not admitted.
        ModelError: The file needs a layer that is not installed here.
        MalformedFileError: The file is truncated, damaged or not what ``torch.save`` writes.
        OSError: The file cannot be read.
    """
    if kind is FileKind.ZIP:
        with zipfile.ZipFile(path) as archive:
            return read_archive(archive, str(path))
    with path.open("rb") as file:
        return _StreamReader(file, path.stat().st_size, str(path)).read()


def read_archive(archive: zipfile.ZipFile, where: str) -> Any:
    """Read a file that ``torch.save`` wrote, as a zip archive that is open already.

    Args:
        archive: The archive.
        where: The file, for errors.

    Returns:
        What ``read_restricted`` returns.

    Raises:
        UntrustedModelError: The file names something that is not admitted.
        ModelError: The file needs a layer that is not installed here.
        MalformedFileError: The file is truncated, damaged or not what ``torch.save`` writes.
    """
    return _ZipReader(archive, where).read()


class _Storages:
    """The storages of one file: their bytes, by key, and the typed views of them that tensors use."""

    def __init__(self) -> None:
        self.content: dict[str, bytearray] = {}
        self._typed: dict[tuple[str, torch.dtype], StoredValues] = {}

    def typed(self, key: str, dtype: torch.dtype) -> StoredValues:
        """Return the storage as a flat tensor; every call for one key and type returns the same one."""
        if (key, dtype) not in self._typed:
            content = self.content[key]
            size = storage_bytes(dtype, 1)
            usable = len(content) // size * size
            # frombuffer refuses to make an empty tensor.
            flat = (
                torch.frombuffer(content, dtype=dtype, count=usable // size) if usable else torch.empty(0, dtype=dtype)
            )
            self._typed[key, dtype] = StoredValues(flat)
        return self._typed[key, dtype]


def _storage_request(saved_id: object, length: int) -> tuple[str, torch.dtype, int, tuple[Any, ...]]:
    """Check a persistent id, ``("storage", type, key, location, count, ...)``, and take it apart."""
    if type(saved_id) is not tuple or len(saved_id) != length or saved_id[0] != "storage":
        raise MalformedFileError("a storage is described in an unknown way")
    _, storage_type, key, _, count = saved_id[:5]
    if not isinstance(storage_type, StorageType) or type(key) is not str or type(count) is not int or count < 0:
        raise MalformedFileError("a storage is described wrongly")
    return key, storage_type.dtype, count, saved_id[5:]


class _ZipReader:
    """Reads the zip format: ``<folder>/data.pkl`` and the values of each storage in ``<folder>/data/<key>``."""

    def __init__(self, archive: zipfile.ZipFile, where: str) -> None:
        self._where = where
        self._records = Records(archive)
        pickle_record = find_pickle_record(archive)
        if pickle_record is None:
            raise MalformedFileError("it holds no data.pkl")
        self._folder = pickle_record.removesuffix("data.pkl")
        self._storages = _Storages()

    def read(self) -> Any:
        order = self._folder + "byteorder"
        if order in self._records.names and self._records.read(order).decode("ascii", "replace") != sys.byteorder:
            raise MalformedFileError("it was written on a machine of another byte order")
        return RestrictedUnpickler(
            io.BytesIO(self._records.read(self._folder + "data.pkl")), self._storage, self._where
        ).load()

    def _storage(self, saved_id: object) -> StoredValues:
        key, dtype, count, _ = _storage_request(saved_id, 5)
        if key not in self._storages.content:
            self._storages.content[key] = bytearray(self._records.read(f"{self._folder}data/{key}"))
        if len(self._storages.content[key]) < storage_bytes(dtype, count):
            raise MalformedFileError(f"its record {self._folder}data/{key} is too short")
        return self._storages.typed(key, dtype)


class _StreamReader:
    """Reads the older format: pickles of a number, version, system and object, then the values of all storages."""

    def __init__(self, file: IO[bytes], file_size: int, where: str) -> None:
        self._file = file
        self._file_size = file_size
        self._where = where
        self._storages = _Storages()
        self._reserved = 0
        self._element_bytes: dict[str, int] = {}

    def read(self) -> Any:
        self._pickle()  # The magic number, which was looked at already.
        if self._pickle() != _STREAM_PROTOCOL:
            raise MalformedFileError("it is of an unknown version")
        system = self._pickle()
        if type(system) is not dict or system.get("little_endian") is not (sys.byteorder == "little"):
            raise MalformedFileError("it was written on a machine of another byte order")
        result = self._pickle()
        keys = self._pickle()
        if (
            type(keys) is not list
            or any(type(key) is not str for key in keys)
            or set(keys) != set(self._storages.content)
        ):
            raise MalformedFileError("its list of storages does not fit its tensors")
        for key in keys:
            self._fill(key)
        return result

    def _pickle(self) -> Any:
        return RestrictedUnpickler(self._file, self._storage, self._where).load()

    def _storage(self, saved_id: object) -> StoredValues | type[nn.Module]:
        if type(saved_id) is tuple and len(saved_id) == 4 and saved_id[0] == "module":
            # A layer's class with its source code as text, which only serves torch.load to warn of changes.
            if not isinstance(saved_id[1], type) or not issubclass(saved_id[1], nn.Module):
                raise MalformedFileError("a layer's class is described wrongly")
            return saved_id[1]
        key, dtype, count, (view,) = _storage_request(saved_id, 6)
        if view is not None:
            raise MalformedFileError("it was written by a torch before 0.4, whose shared storages are not read")
        size = storage_bytes(dtype, count)
        if key not in self._storages.content:
            self._reserved += size
            if self._reserved > self._file_size:
                raise MalformedFileError("it is shorter than its tensors")
            # The values come behind the pickle: the memory is filled once they are reached.
            self._storages.content[key] = bytearray(size)
            self._element_bytes[key] = storage_bytes(dtype, 1)
        if len(self._storages.content[key]) != size:
            raise MalformedFileError(f"its storage {key} has two sizes")
        return self._storages.typed(key, dtype)

    def _fill(self, key: str) -> None:
        content = self._storages.content[key]
        count = int.from_bytes(self._file.read(_COUNT_BYTES), "little")
        values = self._file.read(len(content))
        if count * self._element_bytes[key] != len(content) or len(values) != len(content):
            raise MalformedFileError(f"its storage {key} is cut off or damaged")
        content[:] = values
