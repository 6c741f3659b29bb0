"""Texts of variable length, which lava-dl writes, out of HDF5's heap without HDF5.

The library loops for ever in a heap that is damaged, so that the few bytes are read here. Source: HDF5 File Format
Specification 3.0, III.E (global heap) and IV.A.2.d (variable-length type: length, address of the heap, index).
"""

from __future__ import annotations

import struct
from pathlib import Path

import h5py

# A global heap's identifier (length, address of the collection, index in it), its head and that of each object.
REFERENCE = struct.Struct("<IQI")
HEAP_HEAD = struct.Struct("<4sB3xQ")
OBJECT_HEAD = struct.Struct("<HH4xQ")
ALIGNMENT = 8
# No name of a neuron is nearly as long, and lava-dl's heaps are of a few thousand bytes.
TEXT_MAXIMUM = 256
HEAP_MAXIMUM = 1 << 20


def read_heap_text(dataset: h5py.Dataset) -> bytes:
    """The one text that a dataset of one entry holds.

    Args:
        dataset: Of shape () or (1,) and of a type of variable length.

    Raises:
        ValueError: The text is not where it should be, or is longer than 256 bytes; says what is wrong.
    """
    plan = dataset.file.id.get_create_plist()
    place = dataset.id.get_offset()
    if plan.get_sizes() != (8, 8) or plan.get_userblock() or place is None:
        raise ValueError("lies in an unusual place")
    with Path(dataset.file.filename).open("rb") as file:
        file.seek(place)
        length, heap, index = REFERENCE.unpack(_exactly(file.read(REFERENCE.size), REFERENCE.size))
        if length > TEXT_MAXIMUM:
            raise ValueError(f"has {length:,} bytes, more than {TEXT_MAXIMUM}")
        file.seek(heap)
        kind, version, size = HEAP_HEAD.unpack(_exactly(file.read(HEAP_HEAD.size), HEAP_HEAD.size))
        if kind != b"GCOL" or version != 1 or not HEAP_HEAD.size <= size <= HEAP_MAXIMUM:
            raise ValueError("lies in a damaged heap")
        objects = file.read(size - HEAP_HEAD.size)
    return _entry(objects, index)[:length]


def _entry(objects: bytes, wanted: int) -> bytes:
    """An object of a heap, all of which is looked at; each step goes on by the size of an object's head at least."""
    position, found = 0, None
    while position + OBJECT_HEAD.size <= len(objects):
        index, _, size = OBJECT_HEAD.unpack_from(objects, position)
        begin = position + OBJECT_HEAD.size
        if index == 0:
            # The free space behind the last object, its own head included: of size 0 it makes HDF5 loop for ever.
            if size != len(objects) - position:
                raise ValueError("lies in a damaged heap")
            break
        if index == wanted:
            found = _exactly(objects[begin : begin + size], size)
        position = begin + -(-size // ALIGNMENT) * ALIGNMENT
    if found is None:
        raise ValueError("is missing from its heap")
    return found


def _exactly(content: bytes, size: int) -> bytes:
    if len(content) != size:
        raise ValueError("lies behind the end of the file")
    return content
