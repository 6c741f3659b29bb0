"""Loops that numpy cannot do in one pass, compiled by numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """Return the function as machine code, compiled at its first call for the types of its arguments.

    What was compiled is kept in the ``__pycache__`` beside the source or, where that cannot be written, in the user's
    cache folder, so that only the first call ever takes seconds. The function runs without the interpreter's lock and
    on one thread: threads of numba's own would not survive the forks by which Lava starts its processes.

    Args:
        function: Numbers and arrays in and out, in the part of Python that numba compiles.
    """
    try:
        machine_code = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:
        # No folder can be written at all: compiled anew in each process.
        machine_code = numba.njit(nogil=True)(function)
    return cast(Function, machine_code)
