"""The files that commands write, and the checks that they can be written."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snnc.common.atomic_write import check_writable
from snnc.common.errors import OptionError
from snnc.compiler.parallel import Processes

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

__all__ = ["SUFFIX", "Inputs", "check_output", "save_model", "unfinished_path", "write_output"]

SUFFIX = ".unfinished"


class Inputs:
    """The files that a command reads, none of which it may replace; looked up only where something is there already.

    Args:
        files: Models, networks and configurations; None: not given.
        data: Specs of data; None: not given.
        code: ``module:factory``, or the name of a network of ours; None: not given.
    """

    def __init__(self, *files: Path | None, data: Sequence[str | None] = (), code: str | None = None) -> None:
        self._files, self._data, self._code = files, data, code

    def __iter__(self) -> Iterator[Path]:
        """Yield them."""
        from snnc.models.data.load import files_read

        return files_read(*self._files, data=self._data, code=self._code)


def unfinished_path(beside: Path, processes: Processes, inputs: Iterable[Path]) -> Path:
    """Return the file of a run; each of several processes keeps its own share in one of its own.

    Args:
        beside: The file of the network.
        processes: They.
        inputs: What the run reads.

    Raises:
        OutputError: It cannot be written, or is one of the inputs.
    """
    share = "" if processes.count == 1 else f"-{processes.rank + 1}-of-{processes.count}"
    path = beside.with_name(f"{beside.name}{SUFFIX}{share}")
    check_writable(path, inputs)
    return path


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


def check_output(path: Path | None, inputs: Iterable[Path]) -> None:
    """Make sure, before the run, that its output can be written.

    Args:
        path: The file; None: there is none.
        inputs: What the run reads.

    Raises:
        OptionError: It is no .npz file.
        OutputError: It cannot be written, or is one of the inputs.
    """
    if path is None:
        return
    if path.suffix != ".npz":
        raise OptionError("is no .npz file", where="--output", found=str(path))
    check_writable(path, inputs)


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
