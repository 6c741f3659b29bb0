"""Texts of variable length, which lava-dl and NIR write, in HDF5's heap.

The library loops for ever in a heap that is damaged, so that each heap is looked over without it first. Source: HDF5
File Format Specification 3.0, III.E (global heap) and IV.A.2.d (variable-length type: length, address of the heap,
index).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import h5py

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
    """The one text that a dataset of one entry holds.

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
    """Looks over all that HDF5 may take for a heap, whatever refers to it.

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
    """Where some bytes are found in a file."""
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
        """Looks over what a dataset of texts of variable length refers to.

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
    """Length, address of the heap and index in it, of each text."""
    plan = dataset.file.id.get_create_plist()
    place = dataset.id.get_offset()
    if plan.get_sizes() != (8, 8) or plan.get_userblock() or place is None:
        raise ValueError("lies in an unusual place")
    file.seek(place)
    size = dataset.size * REFERENCE.size
    return list(REFERENCE.iter_unpack(_exactly(file.read(size), size)))


def _heap(file: IO[bytes], address: int) -> dict[int, bytes]:
    """The objects of a heap by their index; each step goes on by the size of an object's head at least."""
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
            # The free space behind the last object, its own head included: of size 0 it makes HDF5 loop for ever.
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
        raise ValueError("lies behind the end of the file")
    return content
