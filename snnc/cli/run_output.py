"""What a run gave, as arrays in a file."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snnc.cli.outputs import check_writable
from snnc.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray


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

    from snnc.whole_file import write_whole

    content = io.BytesIO()
    np.savez_compressed(content, **{name: array for name, array in arrays.items() if array is not None})
    write_whole(path, content.getvalue())
