"""Changes to HDF5 files."""

from __future__ import annotations

from collections.abc import Callable

import h5py
import numpy as np


def put(place: str, value: object) -> Callable[[h5py.File], None]:
    """Replaces a dataset."""

    def change(file: h5py.File) -> None:
        if place in file:
            del file[place]
        file[place] = value

    return change


def attribute(place: str, name: str, value: object) -> Callable[[h5py.File], None]:
    """Sets an attribute, or what is stored as a text."""

    def change(file: h5py.File) -> None:
        plain = np.bytes_(value.encode()) if isinstance(value, str) else value
        if name in file[place]:
            del file[place][name]
            file[place][name] = np.array([plain])
        else:
            file[place].attrs[name] = plain

    return change


def edit(place: str, *index: int, value: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file[place][index or ()] = value

    return change


def cut(place: str) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        group, _, name = place.rpartition("/")
        if name in file[group or "/"].attrs:
            del file[group or "/"].attrs[name]
        else:
            del file[place]

    return change
