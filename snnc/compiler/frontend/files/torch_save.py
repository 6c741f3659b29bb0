"""Reads files written by ``torch.save``, of both kinds, through the restricted unpickler and without ``torch.load``.

``torch.load`` hands tar archives to another reader and TorchScript archives to a third one; here only the two formats
below are read. Values are read into memory that is bounded by the file's own size.
"""

from __future__ import annotations

import io
import re
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import torch
from torch import nn

from snnc.common.errors import ModelError
from snnc.common.import_path import working_directory_first
from snnc.compiler.frontend.files.identify import PICKLE_START, Format, Start
from snnc.compiler.frontend.files.tensors import MalformedFileError, StorageType, StoredValues, storage_bytes
from snnc.compiler.frontend.files.unpickle import RestrictedUnpickler

__all__ = ["FORMAT", "Records", "read_archive", "read_restricted"]

_STREAM_PROTOCOL = 1001
_COUNT_BYTES = 8
# torch.save's older format starts with a pickle of this very number (torch.serialization.MAGIC_NUMBER), which comes
# after a few bytes that depend on the pickle protocol.
_STREAM_NUMBER = b"\x8a\x0al\xfc\x9cF\xf9\x20j\xa8P\x19."
_STREAM_NUMBER_WITHIN = 32


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


def find_pickle_record(names: Sequence[str]) -> str | None:
    """Find the record of a ``torch.save`` archive that holds the pickle.

    Args:
        names: Names of the archive's records.

    Returns:
        Its name, ``<folder>/data.pkl``, or None where there is no such record or more than one.
    """
    found = [name for name in names if name.endswith("/data.pkl") and name.count("/") == 1]
    return found[0] if len(found) == 1 else None


def _is_stream(head: bytes) -> bool:
    return head.startswith(PICKLE_START) and _STREAM_NUMBER in head[:_STREAM_NUMBER_WITHIN]


def _recognise(start: Start) -> bool:
    return find_pickle_record(start.records) is not None or _is_stream(start.head)


def read_restricted(path: Path) -> Any:
    """Read a model file without running any code that it brings or names.

    Args:
        path: The file.

    Returns:
        What was saved: numbers, strings, containers, tensors, layers; all tensors on the CPU.

    Raises:
        UntrustedModelError: The file names something that is not admitted.
        ModelError: The file needs a layer that is not installed here.
        MalformedFileError: The file is truncated, damaged or not what ``torch.save`` writes.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        if not _is_stream(file.read(_STREAM_NUMBER_WITHIN)):
            with zipfile.ZipFile(path) as archive:
                return read_archive(archive, str(path))
        file.seek(0)
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
        pickle_record = find_pickle_record(self._records.names)
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
            # The values come after the pickle: the memory is filled once they are reached.
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


def read_trusted(path: Path) -> Any:
    """Unpickle a file that the user trusts: everything it names is imported and run.

    Raises:
        ModelError: What it names cannot be found.
    """
    where = str(path)
    try:
        with working_directory_first():
            return torch.load(path, map_location="cpu", weights_only=False)
    except ModuleNotFoundError as error:
        raise ModelError(
            f"the network needs the module {error.name}, which cannot be found",
            where=where,
            advice="run snnc in the folder that holds it, or install it",
        ) from error
    except AttributeError as error:
        # As Python words it, from 3.10 to 3.14.
        match = re.search(r"[Cc]an't get attribute '(?P<name>[^']+)' on <module '(?P<module>[^']+)'", str(error))
        if match is None:
            raise
        module, advice = match["module"], "keep the class where it was when the network was saved"
        # Python may call the script that runs snnc by a longer name.
        if module.rpartition(".")[2] == "__main__":
            module = "__main__"
            advice = (
                "the class was defined in a script: define it in a module of its own and save again, or save "
                "model.state_dict() and give --arch module:factory"
            )
        raise ModelError(
            f"the network needs the class {module}.{match['name']}, which cannot be found",
            where=where,
            advice=advice,
        ) from error


FORMAT = Format("torch.save", _recognise, read_restricted, read_trusted=read_trusted, precedence=20)
