"""The files that commands write, and the checks that they can be written."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snnc.common.errors import OptionError, OutputError
from snnc.compiler.parallel import Processes

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

__all__ = ["SUFFIX", "check_output", "check_writable", "save_model", "unfinished_path", "write_output"]

SUFFIX = ".unfinished"


def unfinished_path(beside: Path, processes: Processes) -> Path:
    """Return the file of a run; each of several processes keeps its own share in one of its own.

    Args:
        beside: The file of the network.
        processes: They.

    Raises:
        OutputError: It cannot be written.
    """
    share = "" if processes.count == 1 else f"-{processes.rank + 1}-of-{processes.count}"
    path = beside.with_name(f"{beside.name}{SUFFIX}{share}")
    check_writable(path)
    return path


def check_writable(path: Path, *, instead_of: Path | None = None) -> None:
    """Make sure that a file can be written; leave no trace.

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
    """Write a network as ``snnc compile`` reads it: whole, or not at all.

    Raises:
        OutputError: The file cannot be written.
    """
    import torch

    from snnc.common.atomic_write import write_whole

    content = io.BytesIO()
    torch.save(network, content)
    write_whole(path, content.getvalue())


def check_output(path: Path | None, net: Path) -> None:
    """Make sure, before the run, that its output can be written.

    Raises:
        OptionError: It is no .npz file.
        OutputError: It cannot be written, or is the network.
    """
    if path is None:
        return
    if path.suffix != ".npz":
        raise OptionError("is no .npz file", where="--output", found=str(path))
    check_writable(path, instead_of=net)


def write_output(path: Path, arrays: Mapping[str, NDArray[Any] | None]) -> None:
    """Write arrays as .npz: whole, or not at all; equal arrays give equal bytes.

    Args:
        path: The file; one that exists is replaced.
        arrays: By name; those that are None are left out.

    Raises:
        OutputError: It cannot be written.
    """
    import numpy as np

    from snnc.common.atomic_write import write_whole

    content = io.BytesIO()
    np.savez_compressed(content, **{name: array for name, array in arrays.items() if array is not None})
    write_whole(path, content.getvalue())
