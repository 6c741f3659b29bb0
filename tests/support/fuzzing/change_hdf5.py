"""Changes to an HDF5 file that keep it one: values, types, shapes, packing, links, attributes, members."""

from __future__ import annotations

import io
import random
from collections.abc import Callable

import h5py
import numpy as np

CHANGES_AT_MOST = 4
NUMBERS = (0, 1, -1, 2, 3, 7, 127, 128, 255, -256, 4096, 1 << 17, (1 << 31) - 1, -(1 << 31), 1 << 40, -(1 << 63))
TYPES = ("i1", "u1", "i4", "u8", "f2", "f4", "f8", "S3", "?", "c8", "V4")
NUMBERS_MAXIMUM = 1 << 22
Change = Callable[[random.Random, h5py.File, str], None]


def change_hdf5(content: bytes, draw: random.Random) -> bytes:
    """Some changes; those that HDF5 refuses are left out.

    Args:
        content: A file that was looked over: HDF5 changes it in place.
        draw: Draws them.
    """
    buffer = io.BytesIO(content)
    with h5py.File(buffer, "r+", locking=False) as file:
        for _ in range(draw.randint(1, CHANGES_AT_MOST)):
            names = ["/"]
            file.visit(names.append)
            try:
                draw.choice(_CHANGES)(draw, file, draw.choice(names))
            except (OSError, RuntimeError, KeyError, TypeError, ValueError, OverflowError, AttributeError, IndexError):
                continue
    return buffer.getvalue()


def _dataset(draw: random.Random, file: h5py.File, name: str) -> h5py.Dataset:
    found = file[name]
    if not isinstance(found, h5py.Dataset):
        raise TypeError(name)
    # An earlier change may have claimed a size that no memory holds.
    if found.size is not None and found.size > NUMBERS_MAXIMUM:
        raise ValueError(name)
    return found


def _replace(file: h5py.File, name: str, **options: object) -> None:
    del file[name]
    file.create_dataset(name, **options)


def _value(draw: random.Random, file: h5py.File, name: str) -> None:
    dataset = _dataset(draw, file, name)
    values = dataset[()]
    if dataset.dtype.kind == "S":
        text = bytearray(values[0] if dataset.shape else values)
        text[draw.randrange(len(text))] = draw.choice(b'0123456789{}[]",:x-e')
        _replace(file, name, data=np.array([bytes(text)]) if dataset.shape else np.bytes_(bytes(text)))
    else:
        values = np.array(values)
        values.flat[draw.randrange(values.size)] = draw.choice((*NUMBERS, float("nan"), float("inf"), 0.5))
        dataset[...] = values


def _type(draw: random.Random, file: h5py.File, name: str) -> None:
    values = _dataset(draw, file, name)[()]
    _replace(file, name, data=np.asarray(values).astype(draw.choice(TYPES)))


def _shape(draw: random.Random, file: h5py.File, name: str) -> None:
    values = np.asarray(_dataset(draw, file, name)[()])
    shape = tuple(draw.choice((0, 1, 2, 3, 4, 5, 16)) for _ in range(draw.randrange(6)))
    _replace(file, name, data=np.resize(values, draw.choice((shape, values.shape[::-1], (1, *values.shape)))))


def _claim(draw: random.Random, file: h5py.File, name: str) -> None:
    """Sizes of which nothing is stored."""
    axes = _dataset(draw, file, name).ndim or 1
    shape = tuple(draw.choice((1, 1 << 8, 1 << 16, 1 << 31)) for _ in range(axes))
    _replace(file, name, shape=shape, dtype=draw.choice(TYPES), chunks=draw.choice((None, (64,) * axes)))


def _zeros(draw: random.Random, file: h5py.File, name: str) -> None:
    """What is packed well."""
    _dataset(draw, file, name)
    size = draw.choice((1 << 12, 1 << 18, 1 << 21))
    _replace(file, name, data=np.zeros(size, draw.choice(("i1", "i8"))), compression="gzip", chunks=(size,))


def _packing(draw: random.Random, file: h5py.File, name: str) -> None:
    values = _dataset(draw, file, name)[()]
    options = draw.choice(
        (
            {"compression": "gzip"},
            {"compression": "lzf"},
            {"fletcher32": True},
            {"scaleoffset": 0},
            {"shuffle": True},
            {"chunks": True},
            {"chunks": True, "maxshape": (None,) * np.ndim(values)},
        )
    )
    _replace(file, name, data=values, **options)


def _link(draw: random.Random, file: h5py.File, name: str) -> None:
    _delete(draw, file, name)
    targets = (
        h5py.SoftLink("/"),
        h5py.SoftLink(name),
        h5py.ExternalLink("/dev/zero", "/"),
        h5py.ExternalLink("/etc/hostname", name),
        file["/"],
        np.dtype("i4"),
    )
    file[name] = draw.choice(targets)


def _outside(draw: random.Random, file: h5py.File, name: str) -> None:
    dataset = _dataset(draw, file, name)
    shape, dtype = dataset.shape, dataset.dtype
    if draw.random() < 0.5:
        _replace(file, name, shape=shape or (1,), dtype=dtype, external=[("/dev/zero", 0, h5py.h5f.UNLIMITED)])
        return
    layout = h5py.VirtualLayout(shape, dtype)
    layout[...] = h5py.VirtualSource("/etc/hostname", "x", shape)
    del file[name]
    file.create_virtual_dataset(name, layout)


def _delete(draw: random.Random, file: h5py.File, name: str) -> None:
    if name == "/":
        raise ValueError("the root")
    del file[name]


def _add(draw: random.Random, file: h5py.File, name: str) -> None:
    place = file[name] if isinstance(file[name], h5py.Group) else file[name].parent
    new = draw.choice(("unknown", "0", "9", "weight", "neuron", "delay", "hold", "exponent", "lead", "memoryless"))
    place[new] = draw.choice((0, 1, [1, 2], "text", np.bytes_(b"text"), np.zeros((2, 2), "f4")))


def _attribute(draw: random.Random, file: h5py.File, name: str) -> None:
    attributes = file[name].attrs
    chosen = draw.choice([*attributes, "lead", "exponent", "hold", "memoryless", "unknown"])
    if chosen in attributes and draw.random() < 0.2:
        del attributes[chosen]
        return
    attributes[chosen] = draw.choice(
        (*NUMBERS, 0.5, "text", np.bytes_(b"graded"), [1, 2], np.zeros(3, "i8"), np.zeros(9000, "u1"), h5py.Empty("i8"))
    )


def _copy(draw: random.Random, file: h5py.File, name: str) -> None:
    """A group or array of the file at another's place."""
    names: list[str] = []
    file.visit(names.append)
    source = draw.choice(names)
    if name.startswith(source) or name == "/":
        raise ValueError("inside itself")
    del file[name]
    file.copy(source, file, name)


_CHANGES: tuple[Change, ...] = (
    _value,
    _value,
    _value,
    _type,
    _shape,
    _claim,
    _zeros,
    _packing,
    _link,
    _outside,
    _delete,
    _add,
    _attribute,
    _attribute,
    _copy,
)
