"""Looks over all of an HDF5 file before any of its values is read: .net files, netx of others and NIR graphs.

What is admitted are groups, numbers and texts of fixed length that lie in the file itself, under one name each, in
bounded number, depth and size. HDF5 can do much more: links and arrays that lead into other files, filters that are
loaded from libraries, texts in a heap in which a damaged file makes the library loop for ever. None of that is used.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import h5py

from snnc.common.errors import FormatError

__all__ = [
    "ALIGNMENT",
    "AT_ONCE",
    "HEAP_HEAD",
    "HEAP_MAXIMUM",
    "HEAP_START",
    "OBJECT_HEAD",
    "REFERENCE",
    "TEXT_MAXIMUM",
    "Admitted",
    "CheckedHeaps",
    "check_all_heaps",
    "check_plain_file",
    "has_member",
    "read_heap_text",
]

# A global heap's identifier (length, address of the collection, index in it), its head and that of each object.
REFERENCE = struct.Struct("<IQI")
HEAP_HEAD = struct.Struct("<4sB3xQ")
OBJECT_HEAD = struct.Struct("<HH4xQ")
# Its mark and version: what follows is not looked at by HDF5.
HEAP_START = b"GCOL\x01"
ALIGNMENT = 8
# Bytes of a file that are searched at once.
AT_ONCE = 1 << 24
# No name of a neuron is nearly as long.
TEXT_MAXIMUM = 256
# A text that does not fit into the usual 4096 bytes has a heap of its own; NIR's descriptions are such texts.
HEAP_MAXIMUM = 1 << 24


def read_heap_text(dataset: h5py.Dataset) -> bytes:
    """Return the one text that a dataset of one entry holds.

    Args:
        dataset: Of shape () or (1,) and of a type of variable length.

    Raises:
        ValueError: The text is not where it should be, or is longer than 256 bytes; says what is wrong.
    """
    with Path(dataset.file.filename).open("rb") as file:
        ((length, heap, index),) = _references(dataset, file)
        if length > TEXT_MAXIMUM:
            raise ValueError(f"has {length:,} bytes, more than {TEXT_MAXIMUM}")
        found = _heap(file, heap).get(index)
    if found is None:
        raise ValueError("is missing from its heap")
    return _exactly(found[:length], length)


def check_all_heaps(file: IO[bytes]) -> None:
    """Look over all that HDF5 may take for a heap, whatever refers to it.

    To open an array is enough: one that claims to be put together of others has their names in a heap.

    Args:
        file: The whole file.

    Raises:
        ValueError: A heap is damaged, or lies within another one; says so.
    """
    end = 0
    for address in _occurrences(file, HEAP_START):
        # So that nothing is read twice, however many there are.
        if address < end:
            raise ValueError("lies in a damaged heap")
        _heap(file, address)
        file.seek(address)
        _, _, size = HEAP_HEAD.unpack(file.read(HEAP_HEAD.size))
        end = address + size


def _occurrences(file: IO[bytes], wanted: bytes) -> Iterator[int]:
    """Yield where some bytes are found in a file."""
    start, before = 0, b""
    file.seek(0)
    while content := file.read(AT_ONCE):
        resume = file.tell()
        block = before + content
        found = block.find(wanted)
        while found >= 0:
            yield start - len(before) + found
            found = block.find(wanted, found + 1)
        file.seek(resume)
        start += len(content)
        before = block[-(len(wanted) - 1) :]


class CheckedHeaps:
    """The heaps of one file, each looked over once; HDF5 can then read the texts that lie in them."""

    def __init__(self) -> None:
        self._sizes: dict[int, dict[int, int]] = {}

    def check(self, dataset: h5py.Dataset) -> None:
        """Look over what a dataset of texts of variable length refers to.

        Raises:
            ValueError: A text is not where it should be; says what is wrong.
        """
        if not dataset.size:
            return
        with Path(dataset.file.filename).open("rb") as file:
            for length, heap, index in _references(dataset, file):
                # An empty text lies nowhere.
                if length == 0 and heap == 0:
                    continue
                if heap not in self._sizes:
                    self._sizes[heap] = {each: len(content) for each, content in _heap(file, heap).items()}
                if self._sizes[heap].get(index, -1) < length:
                    raise ValueError("is missing from its heap")


def _references(dataset: h5py.Dataset, file: IO[bytes]) -> list[tuple[int, int, int]]:
    """Return the length, address of the heap and index in it, of each text."""
    plan = dataset.file.id.get_create_plist()
    place = dataset.id.get_offset()
    if plan.get_sizes() != (8, 8) or plan.get_userblock() or place is None:
        raise ValueError("lies in an unusual place")
    file.seek(place)
    size = dataset.size * REFERENCE.size
    return list(REFERENCE.iter_unpack(_exactly(file.read(size), size)))


def _heap(file: IO[bytes], address: int) -> dict[int, bytes]:
    """Return the objects of a heap by their index; each step goes on by the size of an object's head at least."""
    file.seek(address)
    kind, version, size = HEAP_HEAD.unpack(_exactly(file.read(HEAP_HEAD.size), HEAP_HEAD.size))
    if kind != b"GCOL" or version != 1 or not HEAP_HEAD.size <= size <= HEAP_MAXIMUM:
        raise ValueError("lies in a damaged heap")
    content = _exactly(file.read(size - HEAP_HEAD.size), size - HEAP_HEAD.size)
    objects: dict[int, bytes] = {}
    position = 0
    while position + OBJECT_HEAD.size <= len(content):
        index, _, length = OBJECT_HEAD.unpack_from(content, position)
        begin = position + OBJECT_HEAD.size
        if index == 0:
            # The free space after the last object, its own head included: of size 0 it makes HDF5 loop for ever.
            if length != len(content) - position:
                raise ValueError("lies in a damaged heap")
            break
        if index in objects:
            raise ValueError("lies in a damaged heap")
        objects[index] = _exactly(content[begin : begin + length], length)
        position = begin + -(-length // ALIGNMENT) * ALIGNMENT
    return objects


def _exactly(content: bytes, size: int) -> bytes:
    if len(content) != size:
        raise ValueError("lies beyond the end of the file")
    return content


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
    """Check that there is a file that can be read: a pipe would make us wait, and a device may never end.

    Raises:
        FormatError: There is none.
    """
    if not Path(path).is_file():
        problem = "no such file"
        if Path(path).exists():
            problem = "is a folder, not a file" if Path(path).is_dir() else "is a pipe or a device, not a file"
        raise FormatError(problem, where=str(path))


def has_member(group: h5py.Group, name: str) -> bool:
    """Return whether a group holds something of that name. A link is not followed, as ``in`` would do."""
    return bool(group.id.links.exists(name.encode()))


def _stored_name(key: str | bytes) -> bytes:
    """Return a name as HDF5 has it: h5py gives one that is no UTF-8 as bytes."""
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
        """Go through all of an open file.

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
