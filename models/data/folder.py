"""Images in class folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from snnc.errors import DataError
from snnc.models.data.dataset import Dataset, make_dataset
from snnc.models.data.optional import import_optional
from snnc.models.data.order import shuffled

FORM = "FOLDER (of class folders of images)"

_SEED = 0
_SPLIT_NAMES: dict[str, tuple[str, ...]] = {"train": ("train",), "test": ("test", "val")}
_SUFFIXES = frozenset([".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"])
_GREY_MODES = frozenset(["1", "L", "LA"])
# 16 bits and more per value: converting them to 8 bits would clip most of them.
_DEEP_MODES = ("I", "F")


def matches(spec: str) -> bool:
    """Say whether a spec is an existing folder, or can only be the path of one."""
    return "/" in spec or (spec != "" and Path(spec).is_dir())


def load(spec: str, split: Literal["train", "test"]) -> Dataset:
    """Load images from ``FOLDER/CLASS/IMAGE`` or ``FOLDER/train/CLASS/IMAGE`` and ``FOLDER/test/CLASS/IMAGE``.

    A folder with the subfolders ``train`` and ``test`` (or ``val``) has two splits; any other gives all its images for
    both. Labels number the class folders in alphabetical order; in a folder with splits, those of ``train``. Files
    whose names start with a dot or do not end like an image's are left out. If all images are grey they have one
    channel, else all have three; transparency is dropped.

    Args:
        spec: The folder.
        split: ``train`` or ``test``.

    Returns:
        Images of shape (N, 1 or 3, height, width), uint8, of unit 1/255, in a fixed random order.

    Raises:
        DataError: There is no such folder; it has no class folders; one of them has no images, or (in ``test``) is
            not in ``train``; a file cannot be read, has more than 8 bits per value, or another size than the first.
    """
    root = Path(spec).expanduser()
    if not root.is_dir():
        raise DataError("no such folder" if not root.exists() else "not a folder or .npz file", where=spec)
    try:
        train = _subfolder(root, "train")
        test = _subfolder(root, "test")
        has_splits = train is not None and test is not None
        source = (train if split == "train" else test) if has_splits else root
        assert source is not None  # for mypy: has_splits
        classes = _class_names(train if train is not None and has_splits else root)
        files = _image_files(source, classes)
        images = _read_images([path for path, _ in files], spec)
    except OSError as error:
        raise DataError("cannot be read", where=spec, found=str(error)) from error
    # Class by class, the first n images would show a class or two. The order is a fixed one.
    order = shuffled(len(files), _SEED)
    labels = np.array([label for _, label in files])
    return make_dataset(str(source), images[order], labels[order], classes=classes)


def _subfolder(root: Path, split: str) -> Path | None:
    """Find the folder of a split."""
    return next((root / name for name in _SPLIT_NAMES[split] if (root / name).is_dir()), None)


def _class_names(root: Path) -> tuple[str, ...]:
    names = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not names:
        raise DataError(
            "there are no class folders",
            where=str(root),
            expected="one folder of images per class",
            advice="where the classes are unknown, put all images into one folder inside",
        )
    return tuple(names)


def _image_files(root: Path, classes: tuple[str, ...]) -> list[tuple[Path, int]]:
    """List the image files of a split with their labels, class by class."""
    files: list[tuple[Path, int]] = []
    for name in _class_names(root):
        if name not in classes:
            raise DataError(
                "the class is not among those of train", where=str(root / name), expected=", ".join(classes)
            )
        paths = sorted(
            path
            for path in (root / name).iterdir()
            if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".") and path.is_file()
        )
        if not paths:
            raise DataError(
                "the class folder holds no images",
                where=str(root / name),
                expected=f"files that end in {', '.join(sorted(_SUFFIXES))}",
            )
        label = classes.index(name)
        files += [(path, label) for path in paths]
    return files


def _read_images(paths: list[Path], spec: str) -> npt.NDArray[np.uint8]:
    """Read images into one array of shape (N, channels, height, width)."""
    pillow = import_optional("PIL.Image", "pillow", spec)
    images: list[npt.NDArray[np.uint8]] = []
    for path in paths:
        images.append(_open(pillow, path))
        (height, width), (first_height, first_width) = images[-1].shape[-2:], images[0].shape[-2:]
        if (height, width) != (first_height, first_width):
            raise DataError(
                "the image has another size than the first",
                where=str(path),
                expected=f"{first_width} x {first_height} pixels, as {paths[0].name}",
                found=f"{width} x {height}",
                advice="bring all images to the size that the network takes",
            )
    channels = max(len(image) for image in images)
    return np.stack([np.broadcast_to(image, (channels, *image.shape[1:])) for image in images])


def _open(pillow: Any, path: Path) -> npt.NDArray[np.uint8]:
    """Read one image: shape (1 or 3, height, width)."""
    try:
        with pillow.open(path) as image:
            mode: str = image.mode
            if not mode.startswith(_DEEP_MODES):
                if mode in _GREY_MODES:
                    return np.asarray(image.convert("L"), dtype=np.uint8)[np.newaxis]
                return np.asarray(image.convert("RGB"), dtype=np.uint8).transpose(2, 0, 1)
    except Exception as error:  # Pillow raises many kinds of exceptions for damaged files.
        raise DataError("not a readable image", where=str(path), found=str(error)) from error
    raise DataError("the image has more than 8 bits per value", where=str(path), found=f"mode {mode}")
