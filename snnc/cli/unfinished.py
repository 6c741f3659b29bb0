"""Where ``snnc run --resume`` keeps what is done."""

from __future__ import annotations

from pathlib import Path

from snnc.cli.outputs import check_writable
from snnc.compiler.distributed import Processes

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
