"""What a file is, told by how it begins."""

from __future__ import annotations

from pathlib import Path

__all__ = ["is_compiled"]

# The first bytes of every HDF5 file, and so of every .net file and NIR graph.
_HDF5 = b"\x89HDF\r\n\x1a\n"


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
