"""Folders of files, on the disk or packed into a zip file, looked at in the same way."""

from __future__ import annotations

import io
import os
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import BinaryIO, Protocol

from snnc.errors import DataError

__all__ = ["DirectoryTree", "Tree", "ZipTree", "open_tree"]


class Tree(Protocol):
    """Folders and files below a root. Paths are relative to it, with ``/`` between names; the root is ``""``."""

    def folders(self, path: str) -> list[str]:
        """Names of the folders directly in a folder, sorted, without hidden ones."""

    def files(self, path: str) -> list[str]:
        """Names of the files directly in a folder, sorted, without hidden ones."""

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading."""

    def where(self, path: str) -> str:
        """How a message calls a file or folder."""


class DirectoryTree:
    """A folder on the disk."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folders(self, path: str) -> list[str]:
        """Names of the folders directly in a folder, sorted, without hidden ones."""
        return self._names(path, folders=True)

    def files(self, path: str) -> list[str]:
        """Names of the files directly in a folder, sorted, without hidden ones."""
        return self._names(path, folders=False)

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading."""
        return (self._root / path).open("rb")

    def where(self, path: str) -> str:
        """How a message calls a file or folder."""
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
        """Names of the folders directly in a folder, sorted, without hidden ones."""
        return sorted(self._folders.get(self._inside(path), ()))

    def files(self, path: str) -> list[str]:
        """Names of the files directly in a folder, sorted, without hidden ones."""
        return sorted(self._files.get(self._inside(path), ()))

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading."""
        return io.BytesIO(self._archive.read(self._inside(path)))

    def where(self, path: str) -> str:
        """How a message calls a file or folder."""
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
