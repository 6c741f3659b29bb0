"""Takes single records out of zip archives, in memory that is bounded by the file's size."""

from __future__ import annotations

import io
import zipfile

from snnc.compiler.frontend.load_tensors import MalformedFileError

__all__ = ["Records"]


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
