"""ImageNet, and other large folders of images of many sizes: read only as far as they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from snnc.common.errors import DataError
from snnc.common.import_path import import_optional
from snnc.models.data.dataset import Dataset, check_dataset
from snnc.models.data.pictures import LazyImages, centre_square, read_picture
from snnc.models.data.tree import find_images, picture_files

FORM = "imagenet:ROOT"
HELP = "imagenet:ROOT (train and val below it)"
PRECEDENCE = 3
RUNS_CODE = False

_NAME = "imagenet"
_SHORTER_SIDE = 256
_SIDE = 224


def matches(spec: str, base: Path) -> bool:
    """Say whether a spec starts with ``imagenet:``."""
    return spec.partition(":")[0] == _NAME and ":" in spec


def load(spec: str, split: Literal["train", "test"]) -> Dataset:
    """Find the images below ``ROOT/train/CLASS/`` and ``ROOT/val/CLASS/`` (or ``test``), of any sizes and in colour.

    Their shorter side is resized to 256 pixels, and 224 x 224 are cut out of the middle. No image is opened before it
    is used, and those that were are not kept; ``take`` and ``subset`` read as many as they give.

    Args:
        spec: ``imagenet:ROOT``.
        split: ``train`` or ``test``.

    Returns:
        Images of shape (N, 3, 224, 224), uint8, of unit 1/255, in a fixed random order.

    Raises:
        DataError: As for a folder of class folders; and, whenever an image is used, that it cannot be read.
    """
    root = Path(spec.partition(":")[2]).expanduser()
    if not spec.partition(":")[2] or not root.exists():
        raise DataError(
            "no such folder", where=spec, expected=f"{FORM}, where ROOT holds train and val, each with class folders"
        )
    pillow = import_optional("PIL.Image", "pillow", spec)
    files = find_images(root, split, spec)
    change = centre_square(pillow, _SHORTER_SIDE, _SIDE)
    order = files.mixed_order()

    def read(number: int) -> npt.NDArray[np.uint8]:
        return read_picture(pillow, files, int(order[number]), colour=True, change=change)

    images = LazyImages(len(files), (3, _SIDE, _SIDE), read)
    dataset = Dataset(files.name, images, files.labels[order], 1 / 255, files.classes)
    check_dataset(dataset)
    return dataset


def files(spec: str) -> Iterator[Path]:
    """Yield the zip files in ROOT and the pictures in folders below it."""
    return picture_files(Path(spec.partition(":")[2]).expanduser())


def relocated(spec: str, base: Path) -> str:
    """Return the spec with ROOT taken from ``base``."""
    name, _, root = spec.partition(":")
    return f"{name}:{base / Path(root).expanduser()}" if root else spec
