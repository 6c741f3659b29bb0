"""Writing typed fields into HDF5, the same bytes for the same values."""

from __future__ import annotations

import json

import h5py
import numpy as np

# Of gzip: the highest takes twenty times as long for one part in a hundred.
LEVEL = 4


def write_dataset(group: h5py.Group, name: str, value: object) -> None:
    """Numbers, compressed where they are many."""
    data = np.asarray(value)
    # Small arrays grow when compressed.
    options = {"compression": "gzip", "compression_opts": LEVEL, "shuffle": True} if data.size > 256 else {}
    group.create_dataset(name, data=data, track_times=False, **options)


def write_text(group: h5py.Group, name: str, value: str) -> None:
    """A string as netx reads it: one fixed-length ASCII entry."""
    group.create_dataset(name, (1,), "S10", data=[value.encode("ascii")], track_times=False)


def write_string(group: h5py.Group, name: str, value: str) -> None:
    """A string of fixed length: those of variable length lie in a heap, in which a damaged file makes HDF5 hang."""
    group.attrs[name] = np.bytes_(value.encode("utf-8"))


def write_json(group: h5py.Group, name: str, value: object) -> None:
    """A structure of any size: an attribute ends at 64 KiB."""
    data = json.dumps(value, sort_keys=True).encode("ascii")
    group.create_dataset(name, (1,), f"S{len(data)}", data=[data], track_times=False)
