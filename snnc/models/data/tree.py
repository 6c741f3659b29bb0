"""The images of a split in class folders: ``CLASS/IMAGE``, ``train/CLASS/IMAGE`` or ``train.zip``."""

from __future__ import annotations

import io
import os
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal, Protocol

import numpy as np
import numpy.typing as npt

from snnc.common.errors import DataError
from snnc.common.memory import gibibytes
from snnc.models.data.dataset import shuffled

__all__ = ["DirectoryTree", "ImageFiles", "Tree", "ZipTree", "find_images", "open_tree", "picture_files"]


# Bytes of a file in an archive: 22 million pixels in colour, without any packing of their own.
FILE_MAXIMUM = 1 << 26


class Tree(Protocol):
    """Folders and files below a root. Paths are relative to it, with ``/`` between names; the root is ``""``."""

    def folders(self, path: str) -> list[str]:
        """Return the names of the folders directly in a folder, sorted, without hidden ones."""

    def files(self, path: str) -> list[str]:
        """Return the names of the files directly in a folder, sorted, without hidden ones."""

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading."""

    def where(self, path: str) -> str:
        """Return how a message calls a file or folder."""


class DirectoryTree:
    """A folder on the disk."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folders(self, path: str) -> list[str]:
        """Return the names of the folders directly in a folder, sorted, without hidden ones."""
        return self._names(path, folders=True)

    def files(self, path: str) -> list[str]:
        """Return the names of the files directly in a folder, sorted, without hidden ones."""
        return self._names(path, folders=False)

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading."""
        return (self._root / path).open("rb")

    def where(self, path: str) -> str:
        """Return how a message calls a file or folder."""
        return str(self._root / path)

    def _names(self, path: str, *, folders: bool) -> list[str]:
        # scandir, since asking the system about each of a million files would take minutes.
        with os.scandir(self._root / path) as entries:
            return sorted(
                entry.name
                for entry in entries
                if not entry.name.startswith(".") and (entry.is_dir() if folders else entry.is_file())
            )


class ZipTree:
    """A zip file. Where all its files are in one folder, that folder is the root.

    Args:
        path: The file.

    Raises:
        DataError: It is no zip file, or damaged.
        OSError: It cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._archive = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise DataError("not a readable zip file", where=str(path), found=str(error)) from error
        self._folders: dict[str, set[str]] = defaultdict(set)
        self._files: dict[str, set[str]] = defaultdict(set)
        for name in self._archive.namelist():
            folder, _, file = name.rpartition("/")
            if file and not file.startswith("."):
                self._files[folder].add(file)
            # A zip file need not list its folders.
            while folder:
                parent, _, last = folder.rpartition("/")
                if not last.startswith((".", "__MACOSX")):
                    self._folders[parent].add(last)
                folder = parent
        self._root = ""
        only = self._folders[""]
        if len(only) == 1 and not self._files[""] and self._folders[next(iter(only))]:
            self._root = next(iter(only))

    def folders(self, path: str) -> list[str]:
        """Return the names of the folders directly in a folder, sorted, without hidden ones."""
        return sorted(self._folders.get(self._inside(path), ()))

    def files(self, path: str) -> list[str]:
        """Return the names of the files directly in a folder, sorted, without hidden ones."""
        return sorted(self._files.get(self._inside(path), ()))

    def open(self, path: str) -> BinaryIO:
        """Unpack a file into memory, if it is no larger than pictures are.

        Raises:
            DataError: It is larger, by what the archive declares of it; nothing of it was unpacked.
        """
        member = self._archive.getinfo(self._inside(path))
        if member.file_size > FILE_MAXIMUM:
            raise DataError(
                "is too large for a picture",
                where=self.where(path),
                expected=f"at most {gibibytes(FILE_MAXIMUM)}",
                found=gibibytes(member.file_size),
            )
        with self._archive.open(member) as file:
            # No more than was declared, whatever is packed.
            return io.BytesIO(file.read(member.file_size))

    def where(self, path: str) -> str:
        """Return how a message calls a file or folder."""
        inside = self._inside(path)
        return f"{self._path}/{inside}" if inside else str(self._path)

    def _inside(self, path: str) -> str:
        return "/".join(part for part in (self._root, path) if part)


def open_tree(path: Path) -> Tree:
    """Look at a folder or zip file.

    Raises:
        DataError: It is a damaged zip file.
        OSError: It cannot be read.
    """
    return DirectoryTree(path) if path.is_dir() else ZipTree(path)


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
        """Return a fixed random order, shape (N,): class by class, the first n images would show a class or two."""
        return shuffled(len(self), _SEED)

    def open(self, index: int) -> BinaryIO:
        """Open one of the files."""
        return self.tree.open(self.paths[index])

    def where(self, index: int) -> str:
        """Return how a message calls one of the files."""
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


def picture_files(root: Path) -> Iterator[Path]:
    """Yield the files that :func:`find_images` may read of a zip file or folder: zip files, and pictures in folders.

    Args:
        root: The zip file or folder; yields nothing where there is none.
    """
    if root.is_file():
        yield root
    for folder, _, names in os.walk(root, followlinks=True):
        for name in names:
            suffix = PurePosixPath(name).suffix.lower()
            if suffix == ".zip" if Path(folder) == root else suffix in _SUFFIXES:
                yield Path(folder, name)


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
