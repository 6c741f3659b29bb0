"""Running samples on Lava's CPU simulator."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from snnc.common.errors import DataError, OptionError
from snnc.program import CompiledNetwork, Program, SigmaDeltaProgram
from snnc.runtime.lava.engine import DEFAULT_MODELS, DEFAULT_TIMEOUT, check_models, check_timeout
from snnc.runtime.lava.sigma_delta import run_sigma_delta
from snnc.runtime.lava.stream import run_here
from snnc.runtime.result import RunResult


def run_lava(
    program: CompiledNetwork,
    levels: NDArray[np.uint8],
    *,
    models: str = DEFAULT_MODELS,
    workers: int | None = None,
    cluster: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    record: bool = True,
    advance: Callable[[int], None] | None = None,
    announce: Callable[[float], None] | None = None,
) -> RunResult:
    """Stream samples through Lava.

    Args:
        program: The program.
        levels: Input levels, (samples, *input shape).
        models: What computes: ``fast`` (our process models, in one process) or ``stock`` (Lava's, in as many processes
            as the network has). The result is the same.
        workers: How many networks run side by side, each on its share of the samples; None: one, or as many as a
            cluster has room for. The result is the same.
        cluster: Where workers run: None (this machine), ``dask:ADDRESS`` or ``ray``, ``ray:ADDRESS``.
        timeout: Seconds that a network may take to start, and for a sample, before the run ends since a process of it
            hangs. A process that has ended is noticed within a second.
        record: Keep every spike in the result.
        advance: Called with the number of samples done.
        announce: Told once, after the first samples, how many seconds the others will take.

    Returns:
        The same as the simulator's result, but for ``wraps``, which Lava does not tell.

    Raises:
        BackendError: Lava is not installed, cannot hold this network, or failed while running; the cluster cannot be
            used.
        OptionError: There are no such models, workers or clusters.
        DataError: There are no samples, or their shape does not fit.
    """
    check_models(models)
    check_timeout(timeout)
    if workers is not None and workers < 1:
        raise OptionError("is too small", where="workers", expected="at least 1", found=str(workers))
    if not len(levels) or levels.shape[1:] != program.coding.shape:
        raise DataError(
            "the data do not fit the network",
            expected=f"at least one sample of shape {program.coding.shape}",
            found=f"{len(levels)} of shape {tuple(levels.shape[1:])}",
        )
    return _run(
        program,
        levels,
        models=models,
        workers=workers,
        cluster=cluster,
        timeout=timeout,
        record=record,
        advance=advance,
        announce=announce,
    )


@singledispatch
def _run(
    program: CompiledNetwork,
    levels: NDArray[np.uint8],
    *,
    models: str,
    workers: int | None,
    cluster: str | None,
    timeout: float,
    record: bool,
    advance: Callable[[int], None] | None,
    announce: Callable[[float], None] | None,
) -> RunResult:
    """Run samples on networks of the program's kind; arguments and errors are those of :func:`run_lava`."""
    raise NotImplementedError(f"no network on Lava is registered for {type(program).__name__}")


def _run_spiking(
    program: Program,
    levels: NDArray[np.uint8],
    *,
    models: str,
    workers: int | None,
    cluster: str | None,
    timeout: float,
    record: bool,
    advance: Callable[[int], None] | None,
    announce: Callable[[float], None] | None,
) -> RunResult:
    if cluster is None and (workers is None or workers == 1):
        return run_here(
            program, levels, models=models, timeout=timeout, record=record, advance=advance, announce=announce
        )[0]
    from snnc.runtime.lava.workers import run_shared

    return run_shared(
        program,
        levels,
        models=models,
        workers=workers,
        cluster=cluster,
        timeout=timeout,
        record=record,
        advance=advance,
        announce=announce,
    )


_run.register(Program, _run_spiking)
_run.register(SigmaDeltaProgram, run_sigma_delta)
