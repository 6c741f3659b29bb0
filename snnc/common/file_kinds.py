"""What a file is, told by how it begins."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

__all__ = ["LFS_ADVICE", "LFS_POINTER", "is_compiled", "is_lfs_pointer"]

# The first bytes of every HDF5 file, and so of every .net file and NIR graph.
_HDF5 = b"\x89HDF\r\n\x1a\n"
# How a file begins that stands in a git repository for one that Git LFS keeps elsewhere.
_LFS = b"version https://git-lfs"
LFS_POINTER = "is a Git LFS pointer, whose content was not pulled"
LFS_ADVICE = "git lfs pull brings the file itself"


def is_lfs_pointer(file: bytes | str | Path | BinaryIO) -> bool:
    """Return whether a file stands for one that Git LFS keeps elsewhere.

    Args:
        file: How it begins, the file itself at its start, or its path; what cannot be read is none.
    """
    try:
        if isinstance(file, bytes):
            begin = file
        elif isinstance(file, str | Path):
            with Path(file).open("rb") as opened:
                begin = opened.read(len(_LFS))
        else:
            begin = file.read(len(_LFS))
    except OSError:
        return False
    return begin.startswith(_LFS)


def is_compiled(path: str | Path) -> bool:
    """Return whether a file can be a compiled network: a .net file or a NIR graph, which models may be too.

    Args:
        path: The file. Of one that cannot be read its suffix counts, since whoever reads it says what is wrong.
    """
    try:
        with Path(path).open("rb") as file:
            return file.read(len(_HDF5)) == _HDF5
    except OSError:
        return Path(path).suffix == ".net"
