"""Images in class folders, on the disk or in zip files, all of one size: each read when it is first used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from snnc.common.errors import DataError
from snnc.common.import_path import import_optional
from snnc.models.data.dataset import Dataset, check_dataset
from snnc.models.data.pictures import LazyImages, has_colour, read_picture
from snnc.models.data.tree import find_images, picture_files

FORM = "FOLDER or FILE.zip (of class folders of images)"
HELP = "a folder or zip file of class folders of images"
PRECEDENCE = 5
RUNS_CODE = False


def matches(spec: str, base: Path) -> bool:
    """Say whether a spec is a folder in ``base``, or can only be the path of one, or ends in ``.zip``."""
    return "/" in spec or spec.endswith(".zip") or (spec != "" and (base / spec).is_dir())


def load(spec: str, split: Literal["train", "test"]) -> Dataset:
    """Load images from ``FOLDER/CLASS/IMAGE`` or ``FOLDER/train/CLASS/IMAGE`` and ``FOLDER/test/CLASS/IMAGE``.

    A folder with the subfolders ``train`` and ``test`` (or ``val``) has two splits; any other gives all its images for
    both. FOLDER may be a zip file, and ``train`` and ``test`` may be zip files in it. Labels number the class folders
    in alphabetical order; in a folder with splits, those of ``train``. Files whose names start with a dot or do not end
    like an image's are left out. If all images are grey they have one channel, else all have three; transparency is
    dropped.

    Of a large folder ``take`` and ``subset`` read as many files as they give; what was read of all of them is kept in
    memory. Only to see that none has colours the others are looked at too, as far as the heads of the files.

    Args:
        spec: The folder or zip file.
        split: ``train`` or ``test``.

    Returns:
        Images of shape (N, 1 or 3, height, width), uint8, of unit 1/255, in a fixed random order.

    Raises:
        DataError: There is no such folder; it has no class folders; one of them has no images, or (in ``test``) is
            not in ``train``. Also, whenever an image is used: its file cannot be read, has more than 8 bits per value,
            or another size than the first.
    """
    root = Path(spec).expanduser()
    if not root.is_dir() and not (root.is_file() and root.suffix == ".zip"):
        raise DataError("no such folder" if not root.exists() else "not a folder, .zip or .npz file", where=spec)
    files = find_images(root, split, spec)
    pillow = import_optional("PIL.Image", "pillow", spec)
    first = read_picture(pillow, files, 0)
    # What comes first tells most often: a grey image may be one of several in a folder of colours.
    colour = len(first) == 3 or any(has_colour(pillow, files, index) for index in range(len(files)))
    order = files.mixed_order()

    def read(number: int) -> npt.NDArray[np.uint8]:
        return read_picture(pillow, files, int(order[number]), colour=colour, size=(height, width))

    height, width = first.shape[-2:]
    images = LazyImages(len(files), (3 if colour else 1, height, width), read, keep=True)
    dataset = Dataset(files.name, images, files.labels[order], 1 / 255, files.classes)
    check_dataset(dataset)
    return dataset


def files(spec: str) -> Iterator[Path]:
    """Yield the zip file, or those in the folder and the pictures in folders below it."""
    return picture_files(Path(spec).expanduser())


def relocated(spec: str, base: Path) -> str:
    """Return the spec with its path taken from ``base``; it still looks like one, whatever the folder is called."""
    path = str(base / Path(spec).expanduser())
    return path if "/" in path else f"./{path}"
