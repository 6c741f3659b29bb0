"""Finds the images of a split in class folders: ``CLASS/IMAGE``, ``train/CLASS/IMAGE`` or ``train.zip``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from snnc.errors import DataError
from snnc.models.data.order import shuffled
from snnc.models.data.tree import Tree, open_tree

__all__ = ["ImageFiles", "find_images"]

_SEED = 0
_SPLIT_NAMES: dict[str, tuple[str, ...]] = {"train": ("train",), "test": ("test", "val")}
_SUFFIXES = frozenset([".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"])


@dataclass(frozen=True)
class ImageFiles:
    """The image files of a split, class by class.

    Attributes:
        name: What to call them.
        tree: Where they are.
        paths: Their paths in it.
        labels: Shape (N,), int64: the place of each one's class in ``classes``.
        classes: The names of the class folders; in data with splits, those of ``train``.
    """

    name: str
    tree: Tree
    paths: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def mixed_order(self) -> npt.NDArray[np.int64]:
        """A fixed random order, shape (N,): class by class, the first n images would show a class or two."""
        return shuffled(len(self), _SEED)

    def open(self, index: int) -> BinaryIO:
        """Open one of the files."""
        return self.tree.open(self.paths[index])

    def where(self, index: int) -> str:
        """How a message calls one of the files."""
        return self.tree.where(self.paths[index])


def find_images(root: Path, split: Literal["train", "test"], spec: str) -> ImageFiles:
    """Find the image files of a split.

    Args:
        root: A folder or zip file. One with ``train`` and ``test`` (or ``val``) in it, as folders or as zip files, has
            two splits; any other gives all its images for both.
        split: ``train`` or ``test``.
        spec: What the user called it, for errors.

    Returns:
        The files, at least one. Those whose names start with a dot or do not end like an image's are left out.

    Raises:
        DataError: There are no class folders; one of them has no images, or (in ``test``) is not in ``train``; it
            cannot be read.
    """
    try:
        train, test = _split_root(root, "train"), _split_root(root, "test")
        if train is None or test is None:
            train = test = (open_tree(root), "")
        tree, folder = train if split == "train" else test
        classes = _class_names(*train)
        found = list(_image_files(tree, folder, classes))
    except OSError as error:
        raise DataError("cannot be read", where=spec, found=str(error)) from error
    labels = np.array([label for _, label in found], np.int64)
    return ImageFiles(tree.where(folder), tree, tuple(path for path, _ in found), labels, classes)


def _split_root(root: Path, split: str) -> tuple[Tree, str] | None:
    """Find the folder of a split, or the zip file of it."""
    tree = open_tree(root)
    for name in _SPLIT_NAMES[split]:
        if name in tree.folders(""):
            return tree, name
        if root.is_dir() and (root / f"{name}.zip").is_file():
            return open_tree(root / f"{name}.zip"), ""
    return None


def _class_names(tree: Tree, folder: str) -> tuple[str, ...]:
    names = tree.folders(folder)
    if not names:
        raise DataError(
            "there are no class folders",
            where=tree.where(folder),
            expected="one folder of images per class",
            advice="where the classes are unknown, put all images into one folder inside",
        )
    return tuple(names)


def _image_files(tree: Tree, folder: str, classes: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """List the image files with their labels, class by class."""
    numbers = {name: number for number, name in enumerate(classes)}
    for name in _class_names(tree, folder):
        inside = f"{folder}/{name}" if folder else name
        if name not in numbers:
            raise DataError(
                "the class is not among those of train", where=tree.where(inside), expected=", ".join(classes)
            )
        files = [file for file in tree.files(inside) if PurePosixPath(file).suffix.lower() in _SUFFIXES]
        if not files:
            raise DataError(
                "the class folder holds no images",
                where=tree.where(inside),
                expected=f"files that end in {', '.join(sorted(_SUFFIXES))}",
            )
        for file in files:
            yield f"{inside}/{file}", numbers[name]
