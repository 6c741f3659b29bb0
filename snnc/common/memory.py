"""How much memory is free, what would not fit into it, and freed memory that is kept for the next tensor."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from snnc.common.errors import OptionError

if TYPE_CHECKING:
    import torch

# What is left to everything that is not counted.
SHARE = 0.9

_SYSTEM = Path("/proc/meminfo")
_PROCESS = Path("/proc/self/statm")
# Limits of the container, and what it uses: of the second and the first version of Linux's control groups.
_GROUPS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current"), Path("/sys/fs/cgroup/memory.stat")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.stat"),
    ),
)


def available_memory(device: torch.device | None = None) -> int | None:
    """Return the bytes that can still be taken.

    Args:
        device: A GPU, for its memory; else this process's: of the machine's, its container's and its own limit the
            least.

    Returns:
        None where nobody tells.
    """
    if device is not None and device.type == "cuda":
        import torch

        free, _ = torch.cuda.mem_get_info(device)
        return int(SHARE * free)
    found = [*_of_machine(), *_of_container(), *_of_process()]
    return max(0, int(SHARE * min(found))) if found else None


def check_memory(size: float, what: str, advice: str, device: torch.device | None = None) -> None:
    """Refuse what will not fit into memory before it is begun.

    Args:
        size: Bytes that it takes at least.
        what: What takes them, as an error's place.
        advice: What to do instead.
        device: Where, as for :func:`available_memory`.

    Raises:
        OptionError: There is less.
    """
    available = available_memory(device)
    if available is not None and size > available:
        raise OptionError(
            "would take more memory than there is",
            where=what,
            expected=f"at most {gibibytes(available)}",
            found=gibibytes(size),
            advice=advice,
        )


def gibibytes(size: float) -> str:
    """Return a number of bytes in words: ``3.2 GiB``, or ``12 MiB`` where that is less than one."""
    return f"{size / (1 << 30):.3g} GiB" if size >= 1 << 30 else f"{size / (1 << 20):.3g} MiB"


def _of_machine() -> Iterator[int]:
    for line in _lines(_SYSTEM):
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) << 10


def _of_container() -> Iterator[int]:
    for limit, usage, statistics in _GROUPS:
        most, used = _lines(limit), _lines(usage)
        if most and used and most[0].isdigit():
            # Files that are kept in memory are given up first.
            kept = [int(line.split()[1]) for line in _lines(statistics) if line.startswith("inactive_file ")]
            yield int(most[0]) - int(used[0]) + sum(kept)


def _of_process() -> Iterator[int]:
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most != resource.RLIM_INFINITY:
        yield most - sum(int(line.split()[0]) for line in _lines(_PROCESS)) * resource.getpagesize()


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return []


# glibc follows the largest block that was ever returned, up to 32 MiB.
BLOCK = 31 << 20


def keep_freed_memory() -> None:
    """Make the C library keep freed memory for the next tensor instead of returning it to the system.

    glibc returns what is free at the end of its heap as soon as it is twice the largest block that ever was allocated
    from the system and freed. Layers' tensors are often just above that: each is then fetched page by page anew, which
    costs a network of narrow convolutions a quarter of its time. One large block, never touched, raises the limit to
    62 MiB for the life of the process. Other C libraries are left as they are.
    """
    block = np.empty(BLOCK, np.uint8)
    del block
