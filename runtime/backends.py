"""The backends by name: one meaning, three machines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.program import Program
from snnc.errors import OptionError
from snnc.runtime.result import RunResult

Backend = Literal["sim", "lava", "loihi"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)


def run_levels(
    program: Program,
    levels: NDArray[np.uint8],
    backend: str,
    *,
    record: bool = False,
    batch_size: int | None = None,
    advance: Callable[[int], None] | None = None,
) -> RunResult:
    """Runs a program on a backend.

    Args:
        program: The program.
        levels: Input levels, (samples, *input shape).
        backend: ``sim`` (the native simulator), ``lava`` (Lava's CPU simulator) or ``loihi`` (a board).
        record: Keep every spike in the result.
        batch_size: Samples that ``sim`` computes at once; None: what memory allows. The others take one by one.
        advance: Called with the number of samples done.

    Raises:
        OptionError: There is no such backend, or the batch size is below 1.
        BackendError: The backend is not installed, or failed.
        DataError: There are no samples, or their shape does not fit.
    """
    if batch_size is not None and batch_size < 1:
        raise OptionError("is too small", where="batch size", expected="at least 1", found=str(batch_size))
    if backend == "sim":
        from snnc.runtime.simulator import Simulator

        return Simulator(program).run(levels, record=record, batch_size=batch_size, advance=advance)
    if backend == "lava":
        from snnc.runtime.lava import run_lava

        return run_lava(program, levels, record=record, advance=advance)
    if backend == "loihi":
        from snnc.runtime.hardware import run_loihi

        return run_loihi(program, levels, record=record, advance=advance)
    raise OptionError("unknown backend", where="backend", expected=", ".join(BACKENDS), found=repr(backend))
