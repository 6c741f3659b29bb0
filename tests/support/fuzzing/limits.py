"""What reading a file may take of memory, as SECURITY.md promises it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

# Whatever the file is: libraries' own tables and buffers.
FREE_BYTES = 64 << 20
_STATUS = Path("/proc/self/status")
_CLEAR_REFERENCES = Path("/proc/self/clear_refs")


class TooMuchMemoryError(AssertionError):
    """Reading took more memory than is promised."""


@contextlib.contextmanager
def within_memory(maximum: int) -> Iterator[None]:
    """Fails where the block's peak of resident memory is above what was resident before by more than so many bytes.

    The memory is the kernel's account of it, so that what C libraries take counts. Only Linux keeps it.
    """
    # 5 sets the peak back to what is resident now.
    _CLEAR_REFERENCES.write_text("5")
    before = _resident("VmRSS")
    yield
    taken = _resident("VmHWM") - before
    if taken > maximum:
        raise TooMuchMemoryError(f"took {taken:,} bytes, more than {maximum:,}")


def _resident(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) << 10
