"""Images in class folders, on the disk or in zip files, all of one size and read into memory."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from snnc.errors import DataError
from snnc.models.data.class_folders import ImageFiles, find_images
from snnc.models.data.dataset import Dataset, make_dataset
from snnc.models.data.optional import import_optional
from snnc.models.data.pictures import read_picture

FORM = "FOLDER or FILE.zip (of class folders of images)"


def matches(spec: str) -> bool:
    """Say whether a spec is an existing folder, or can only be the path of one, or ends in ``.zip``."""
    return "/" in spec or spec.endswith(".zip") or (spec != "" and Path(spec).is_dir())


def load(spec: str, split: Literal["train", "test"]) -> Dataset:
    """Load images from ``FOLDER/CLASS/IMAGE`` or ``FOLDER/train/CLASS/IMAGE`` and ``FOLDER/test/CLASS/IMAGE``.

    A folder with the subfolders ``train`` and ``test`` (or ``val``) has two splits; any other gives all its images for
    both. FOLDER may be a zip file, and ``train`` and ``test`` may be zip files in it. Labels number the class folders
    in alphabetical order; in a folder with splits, those of ``train``. Files whose names start with a dot or do not end
    like an image's are left out. If all images are grey they have one channel, else all have three; transparency is
    dropped.

    Args:
        spec: The folder or zip file.
        split: ``train`` or ``test``.

    Returns:
        Images of shape (N, 1 or 3, height, width), uint8, of unit 1/255, in a fixed random order.

    Raises:
        DataError: There is no such folder; it has no class folders; one of them has no images, or (in ``test``) is
            not in ``train``; a file cannot be read, has more than 8 bits per value, or another size than the first.
    """
    root = Path(spec).expanduser()
    if not root.is_dir() and not (root.is_file() and root.suffix == ".zip"):
        raise DataError("no such folder" if not root.exists() else "not a folder, .zip or .npz file", where=spec)
    files = find_images(root, split, spec)
    images, order = _read_images(files, spec), files.mixed_order()
    return make_dataset(files.name, images[order], files.labels[order], classes=files.classes)


def relocated(spec: str, base: Path) -> str:
    """The path is taken from ``base``; it keeps looking like one, whatever the folder is called."""
    path = str(base / Path(spec).expanduser())
    return path if "/" in path else f"./{path}"


def _read_images(files: ImageFiles, spec: str) -> npt.NDArray[np.uint8]:
    """Read images into one array of shape (N, channels, height, width)."""
    pillow = import_optional("PIL.Image", "pillow", spec)
    images: list[npt.NDArray[np.uint8]] = []
    for index in range(len(files)):
        images.append(read_picture(pillow, files, index))
        (height, width), (first_height, first_width) = images[-1].shape[-2:], images[0].shape[-2:]
        if (height, width) != (first_height, first_width):
            raise DataError(
                "the image has another size than the first",
                where=files.where(index),
                expected=f"{first_width} x {first_height} pixels, as {Path(files.paths[0]).name}",
                found=f"{width} x {height}",
                advice="bring all images to the size that the network takes, or give imagenet:ROOT for one of 224",
            )
    channels = max(len(image) for image in images)
    return np.stack([np.broadcast_to(image, (channels, *image.shape[1:])) for image in images])
