"""Which data a network may have been trained on, by the shapes of its input and output."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from snnc.compiler.ir import Shape

__all__ = ["array_file", "usual_data"]

_USUAL: dict[tuple[Shape, int], str] = {
    ((1, 8, 8), 10): "digits",
    ((1, 28, 28), 10): "mnist:ROOT",
    ((3, 32, 32), 10): "cifar10:ROOT",
    ((3, 32, 32), 100): "cifar100:ROOT",
    ((3, 224, 224), 1000): "imagenet:ROOT",
}
_ARRAYS = ("x_train.npy", "x.npy")
# A folder may hold any number of files.
_FILES_MAXIMUM = 100


def usual_data(shape: Shape | None, classes: int) -> str | None:
    """The well-known data set whose images and classes have these numbers, as ``--calib`` takes it; None for none."""
    return None if shape is None else _USUAL.get((shape, classes))


def array_file(folder: Path, shape: Shape) -> Path | None:
    """An .npz file in a folder that holds samples of a shape, found by the headers of its arrays; None for none.

    Args:
        folder: Where to look.
        shape: Of one sample.
    """
    for path in sorted(folder.glob("*.npz"))[:_FILES_MAXIMUM]:
        if _sample_shape(path) == shape:
            return path
    return None


def _sample_shape(path: Path) -> Shape | None:
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(each for each in _ARRAYS if each in archive.namelist())
            with archive.open(name) as file:
                formats: Any = np.lib.format  # without types in old versions
                version = formats.read_magic(file)
                read = formats.read_array_header_1_0 if version == (1, 0) else formats.read_array_header_2_0
                size, _, _ = read(file)
    # Damage shows as any exception, out of zipfile, zlib or numpy; what is no array file is none for us.
    except Exception:  # noqa: BLE001
        return None
    return tuple(size[1:])
