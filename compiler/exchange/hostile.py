"""Looks a NIR file over before the package ``nir`` reads it, which takes whatever stands there.

What is admitted are groups, numbers, texts and lists of texts, held by plain links, of bounded number and depth, and no
larger than what the file has bytes for. Nothing of that runs code. Texts of variable length, which NIR's files have,
lie in a heap of HDF5's.
"""

from __future__ import annotations

from pathlib import Path

import h5py

from snnc.compiler.emit.fields import DEFLATE
from snnc.errors import FormatError

__all__ = ["check_nir_file", "looks_like_nir"]

ENTRIES_MAXIMUM = 200_000
DEPTH_MAXIMUM = 8
BYTES_FREE = 1 << 20
# Of all arrays together.
BYTES_MAXIMUM = 1 << 34


def looks_like_nir(path: str | Path) -> bool:
    """Whether a file is HDF5 with the two entries that NIR's files have at the top."""
    try:
        with h5py.File(path, "r") as file:
            return set(file) >= {"node", "version"}
    # What h5py raises on damaged files, which whoever reads them says more about.
    except (OSError, RuntimeError, KeyError, MemoryError, TypeError, ValueError):
        return False


def check_nir_file(file: h5py.File, name: str) -> None:
    """Goes through all of an open file.

    Args:
        file: The file.
        name: Its name, for errors.

    Raises:
        FormatError: It holds something that NIR's files do not have, or more than it can.
    """
    check = _Check(name)
    check.group(file, 0)


class _Check:
    def __init__(self, name: str) -> None:
        self._name = name
        self._entries = 0
        self._bytes = 0

    def group(self, group: h5py.Group, depth: int) -> None:
        """All that a group holds."""
        if depth > DEPTH_MAXIMUM:
            raise self._error("groups lie too deep", group)
        for key in group:
            self._entries += 1
            if self._entries > ENTRIES_MAXIMUM:
                raise self._error("too many entries", group)
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise self._error(f"{key} is a link to another place", group)
            member = group[key]
            if isinstance(member, h5py.Group):
                self.group(member, depth + 1)
            elif isinstance(member, h5py.Dataset):
                self._dataset(member)
            else:
                raise self._error(f"{key} is neither a group nor an array", group)

    def _dataset(self, dataset: h5py.Dataset) -> None:
        kind = dataset.dtype.kind
        text = h5py.check_string_dtype(dataset.dtype)
        if kind not in "biufS" and text is None:
            raise self._error(f"an array of the type {dataset.dtype}", dataset)
        if dataset.shape is None or dataset.external or dataset.is_virtual:
            raise self._error("an array that is not in the file", dataset)
        # What is compressed cannot grow without bounds; what is not stored at all is filled with zeros.
        if dataset.nbytes > max(BYTES_FREE, DEFLATE * dataset.id.get_storage_size()):
            raise self._error(f"claims to be larger than what is stored (shape {dataset.shape})", dataset)
        self._bytes += dataset.nbytes
        if self._bytes > BYTES_MAXIMUM:
            raise self._error("the arrays are larger than any network for a chip", dataset)

    def _error(self, problem: str, place: h5py.Group | h5py.Dataset) -> FormatError:
        return FormatError(problem, where=f"{self._name}:{place.name}", expected="a NIR file as the package nir writes")
