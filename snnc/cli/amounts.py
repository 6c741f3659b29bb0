"""Numbers as people type them behind an option."""

from __future__ import annotations

import re

from snnc.errors import OptionError

# Bytes of a unit; without one a number counts mebibytes.
UNITS = {"": 1 << 20, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def memory_size(text: str | None) -> int | None:
    """``2G``, ``512M`` or ``512`` (mebibytes) as a number of bytes; None for None.

    Raises:
        OptionError: It is something else, or nothing.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    size = int(float(found[1]) * UNITS[found[2].upper()]) if found else 0
    if size < 1:
        raise OptionError("cannot be understood", where="--memory", expected="such as 512M or 2G", found=repr(text))
    return size


def step_numbers(text: str | None) -> tuple[int, ...]:
    """``1,2,4`` as numbers of steps; none for None.

    Raises:
        OptionError: It is something else.
    """
    try:
        return () if text is None else tuple(int(each) for each in text.split(","))
    except ValueError:
        raise OptionError(
            "cannot be understood",
            where="--stop-at",
            expected="numbers of steps with commas between them, such as 1,2,4",
            found=repr(text),
        ) from None
