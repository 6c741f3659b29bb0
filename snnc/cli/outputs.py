"""Whether a result can be written, asked before the work that makes it; and writing a network."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from snnc.errors import OutputError

if TYPE_CHECKING:
    from torch import nn


def check_writable(path: Path, *, instead_of: Path | None = None) -> None:
    """Makes sure that a file can be written; leaves no trace.

    Args:
        path: The file.
        instead_of: A file that must not be overwritten.

    Raises:
        OutputError: It is a folder, its folder is missing or cannot be written to, or it is ``instead_of``.
    """
    if path.is_dir():
        raise OutputError("cannot be written", where=str(path), found="a folder")
    if instead_of is not None and path.exists() and instead_of.exists() and path.samefile(instead_of):
        raise OutputError("would overwrite the model", where=str(path), advice="give another file with -o")
    try:
        # In the folder of the result, since that is where it is written before it gets its name.
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise OutputError("cannot be written", where=str(path), found=(error.strerror or str(error)).lower()) from error


def save_model(network: nn.Module, path: Path) -> None:
    """Writes a network as ``snnc compile`` reads it: whole, or not at all.

    Raises:
        OutputError: The file cannot be written.
    """
    import torch

    from snnc.whole_file import write_whole

    content = io.BytesIO()
    torch.save(network, content)
    write_whole(path, content.getvalue())
