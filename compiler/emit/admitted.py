"""Looks over all of an HDF5 file before any of its values is read: .net files, netx of others and NIR graphs.

What is admitted are groups, numbers and texts of fixed length that lie in the file itself, under one name each, in
bounded number, depth and size. HDF5 can do much more: links and arrays that lead into other files, filters that are
loaded from libraries, texts in a heap in which a damaged file makes the library loop for ever. None of that is used.
"""

from __future__ import annotations

import math
from pathlib import Path

import h5py

from snnc.compiler.emit.heap_text import CheckedHeaps, check_all_heaps
from snnc.errors import FormatError

__all__ = ["Admitted", "check_plain_file", "has_member"]

ENTRIES_MAXIMUM = 200_000
DEPTH_MAXIMUM = 8
# What is compressed cannot grow by more than this (1032 for deflate); nor does what is not stored at all, but is small.
DEFLATE = 1100
BYTES_FREE = 1 << 12
# Of all arrays together: eight times what ImageNet's largest classical networks have, and no chip's share of that.
NUMBERS_MAXIMUM = 1 << 28
BYTES_MAXIMUM = 1 << 31
# HDF5 keeps larger attributes elsewhere, and none of ours is.
ATTRIBUTE_MAXIMUM = 1 << 16
FILTERS = (h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32)
LAYOUTS = (h5py.h5d.COMPACT, h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED)


def check_plain_file(path: str | Path) -> None:
    """Checks that there is a file that can be read: a pipe would make us wait, and a device may never end.

    Raises:
        FormatError: There is none.
    """
    if not Path(path).is_file():
        problem = "no such file"
        if Path(path).exists():
            problem = "is a folder, not a file" if Path(path).is_dir() else "is a pipe or a device, not a file"
        raise FormatError(problem, where=str(path))


def has_member(group: h5py.Group, name: str) -> bool:
    """Whether a group holds something of that name. A link is not followed, as ``in`` would do."""
    return bool(group.id.links.exists(name.encode()))


def _stored_name(key: str | bytes) -> bytes:
    """A name as HDF5 has it; h5py gives one that is no UTF-8 as bytes."""
    return key if isinstance(key, bytes) else key.encode("utf-8", "surrogateescape")


class Admitted:
    """What a kind of file may hold.

    Args:
        name: The file's name, for errors.
        expected: What errors say the file should be.
        advice: What errors say that the user can do.
        texts: Whether arrays of texts of variable length may occur; where they lie is then checked.
        numbers: How many numbers all arrays together may hold.
    """

    def __init__(
        self,
        name: str,
        *,
        expected: str | None = None,
        advice: str | None = None,
        texts: bool = False,
        numbers: int = NUMBERS_MAXIMUM,
    ) -> None:
        self._name = name
        self._expected = expected
        self._advice = advice
        self._heaps = CheckedHeaps() if texts else None
        self._maximum = numbers
        self._entries = 0
        self._numbers = 0
        self._bytes = 0
        self._groups: set[int] = set()

    def check(self, file: h5py.File) -> None:
        """Goes through all of an open file.

        Raises:
            FormatError: It holds something that is not admitted.
        """
        # First of all: HDF5 may look into a heap as soon as it opens an array. What we wrote ourselves has no path.
        if Path(file.filename).is_file():
            with Path(file.filename).open("rb") as content:
                try:
                    check_all_heaps(content)
                except ValueError as error:
                    raise self._error(f"something {error}", file) from None
        self._group(file, 0)

    def _group(self, group: h5py.Group, depth: int) -> None:
        if depth > DEPTH_MAXIMUM:
            raise self._error("groups lie too deep", group)
        address = h5py.h5o.get_info(group.id).addr
        if address in self._groups:
            raise self._error("a group has two names", group)
        self._groups.add(address)
        self._attributes(group)
        for key in group:
            self._count(group)
            if group.id.links.get_info(_stored_name(key)).type != h5py.h5l.TYPE_HARD:
                raise self._error(f"{key} is a link to another place", group)
            member = group[key]
            if isinstance(member, h5py.Group):
                self._group(member, depth + 1)
            elif isinstance(member, h5py.Dataset):
                self._attributes(member)
                self._dataset(member)
            else:
                raise self._error(f"{key} is neither a group nor an array", group)

    def _attributes(self, place: h5py.Group | h5py.Dataset) -> None:
        for name in place.attrs:
            self._count(place)
            described = place.attrs.get_id(name)
            if described.dtype.kind not in "biufS":
                raise self._error(f"{name} has the wrong type (an attribute of {described.dtype})", place)
            # The shape of an empty one is None.
            if math.prod(described.shape or ()) * described.dtype.itemsize > ATTRIBUTE_MAXIMUM:
                raise self._error(f"{name} is larger than an attribute can be", place)

    def _dataset(self, dataset: h5py.Dataset) -> None:
        # First of all: even the shape of an array may be looked up in other files.
        plan = dataset.id.get_create_plist()
        if plan.get_layout() not in LAYOUTS or plan.get_external_count():
            raise self._error("an array that is not in the file", dataset)
        filters = [plan.get_filter(index)[0] for index in range(plan.get_nfilters())]
        if len(set(filters)) != len(filters) or not set(filters) <= set(FILTERS):
            raise self._error("an array that is packed in an unusual way", dataset)
        is_text = self._heaps is not None and h5py.check_string_dtype(dataset.dtype) is not None
        if dataset.dtype.kind not in "biufS" and not is_text:
            raise self._error(f"an array has the wrong type, {dataset.dtype}", dataset)
        if dataset.shape is None:
            raise self._error("an array without a shape", dataset)
        itemsize = dataset.dtype.itemsize
        stored = max(BYTES_FREE, DEFLATE * dataset.id.get_storage_size())
        if math.prod(dataset.shape) * itemsize > stored or math.prod(dataset.chunks or ()) * itemsize > stored:
            raise self._error(f"claims to be larger than what is stored (shape {dataset.shape})", dataset)
        self._numbers += math.prod(dataset.shape)
        self._bytes += math.prod(dataset.shape) * itemsize
        if self._numbers > self._maximum or self._bytes > BYTES_MAXIMUM:
            raise self._error("the arrays are larger than any network for a chip", dataset)
        if self._heaps is not None and dataset.dtype.kind == "O":
            try:
                self._heaps.check(dataset)
            except ValueError as error:
                raise self._error(f"a text {error}", dataset) from None

    def _count(self, place: h5py.Group | h5py.Dataset) -> None:
        self._entries += 1
        if self._entries > ENTRIES_MAXIMUM:
            raise self._error("too many entries", place)

    def _error(self, problem: str, place: h5py.Group | h5py.Dataset) -> FormatError:
        where = f"{self._name}:{place.name}"
        return FormatError(problem, where=where, expected=self._expected, advice=self._advice)
