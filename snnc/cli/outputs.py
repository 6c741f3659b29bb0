"""The files that a training run writes."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snnc.common.errors import OptionError, OutputError
from snnc.compiler.parallel import Processes

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

__all__ = ["SUFFIX", "RunFiles", "check_output", "check_writable", "save_model", "unfinished_path", "write_output"]

SUFFIX = ".unfinished"


def unfinished_path(beside: Path, processes: Processes) -> Path:
    """The file of a run; each of several processes keeps its own share in one of its own.

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

    from snnc.common.atomic_write import write_whole

    content = io.BytesIO()
    torch.save(network, content)
    write_whole(path, content.getvalue())


def check_output(path: Path | None, net: Path) -> None:
    """Makes sure, before the run, that its output can be written.

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
    """Writes arrays as .npz: whole, or not at all; equal arrays give equal bytes.

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


@dataclass(frozen=True)
class RunFiles:
    """What a run writes.

    Attributes:
        model: The trained network.
        checkpoint: The state after the last epoch.
        log: What was measured, as JSON.
    """

    model: Path
    checkpoint: Path
    log: Path

    @classmethod
    def of(cls, model: Path) -> RunFiles:
        """The three files of a network's."""
        return cls(model, model.with_suffix(".checkpoint"), model.with_suffix(".json"))

    def check(self, weights: Path | None, *, resume: bool) -> None:
        """Makes sure that all can be written and that no unfinished run is lost.

        Args:
            weights: A file that must not be overwritten.
            resume: Whether the run goes on from the checkpoint.

        Raises:
            OutputError: A file cannot be written, is ``weights``, or holds a run that is not to be resumed.
        """
        if self.model in (self.checkpoint, self.log):
            raise OutputError(
                "is the name of the checkpoint or the log", where=str(self.model), expected="a name that ends in .pt"
            )
        for path in (self.model, self.checkpoint, self.log):
            check_writable(path, instead_of=weights)
        if self.checkpoint.exists() and not resume:
            raise OutputError(
                "exists, perhaps of a run that is not finished",
                where=str(self.checkpoint),
                advice="add --resume to go on from it, or delete it to begin anew",
            )
