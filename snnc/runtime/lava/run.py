"""Running samples on Lava's CPU simulator."""

from __future__ import annotations

from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from snnc.common.options import taken
from snnc.common.progress import Progress, Unheard
from snnc.program import CompiledNetwork, Program, SigmaDeltaProgram
from snnc.runtime.lava.engine import LavaRun
from snnc.runtime.lava.sigma_delta import run_sigma_delta
from snnc.runtime.lava.stream import run_here
from snnc.runtime.options import LavaOptions
from snnc.runtime.result import RunResult, check_levels


def run_lava(
    program: CompiledNetwork,
    levels: NDArray[np.uint8],
    options: LavaOptions = LavaOptions(),
    *,
    record: bool = True,
    progress: Progress = Unheard(),
) -> RunResult:
    """Stream samples through Lava.

    Args:
        program: The program.
        levels: Input levels, (samples, *input shape).
        options: How Lava runs; other options than these do not count.
        record: Keep every spike in the result.
        progress: Told how many samples are done, and once, after the first ones, how long the others will take.

    Returns:
        The same as the simulator's result, but for ``wraps``, which Lava does not tell.

    Raises:
        BackendError: Lava is not installed, cannot hold this network, or failed while running; the cluster cannot be
            used.
        OptionError: There are no such models, workers or clusters.
        DataError: There are no samples, or their shape does not fit.
    """
    how = LavaRun(taken(LavaOptions, options), record)
    check_levels(program.coding, levels)
    return _run(program, levels, how, progress)


@singledispatch
def _run(program: CompiledNetwork, levels: NDArray[np.uint8], how: LavaRun, progress: Progress) -> RunResult:
    """Run samples on networks of the program's kind; errors are those of :func:`run_lava`."""
    raise NotImplementedError(f"no network on Lava is registered for {type(program).__name__}")


def _run_spiking(program: Program, levels: NDArray[np.uint8], how: LavaRun, progress: Progress) -> RunResult:
    if how.cluster is None and how.workers in (None, 1):
        return run_here(program, levels, how, progress)[0]
    from snnc.runtime.lava.workers import run_shared

    return run_shared(program, levels, how, progress)


_run.register(Program, _run_spiking)
_run.register(SigmaDeltaProgram, run_sigma_delta)
