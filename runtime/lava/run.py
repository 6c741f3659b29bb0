"""Running samples on Lava's CPU simulator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.program import CompiledNetwork, Program, SigmaDeltaProgram
from snnc.errors import DataError, OptionError
from snnc.runtime.joined import joined
from snnc.runtime.lava.models import DEFAULT_MODELS, check_models
from snnc.runtime.lava.pace import Pace
from snnc.runtime.lava.schedule import Schedule
from snnc.runtime.lava.shares import pieces, samples_per_stream
from snnc.runtime.lava.sigma_delta import run_sigma_delta
from snnc.runtime.lava.stream import run_stream
from snnc.runtime.lava.timeout import DEFAULT_TIMEOUT, check_timeout
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
    """Streams samples through Lava.

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
    if isinstance(program, SigmaDeltaProgram):
        return run_sigma_delta(
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


def run_here(
    program: Program,
    levels: NDArray[np.uint8],
    *,
    models: str,
    timeout: float,
    record: bool,
    advance: Callable[[int], None] | None = None,
    announce: Callable[[float], None] | None = None,
) -> tuple[RunResult, Pace]:
    """Runs samples on one network after the other, as many as memory asks for.

    Args and errors are those of :func:`run_lava`.

    Returns:
        The result, and how fast the first network was.
    """
    streams = pieces(len(levels), samples_per_stream(program))
    paces: list[Pace] = []
    done = 0

    def advanced(samples: int) -> None:
        if advance:
            advance(done + samples)

    def paced(pace: Pace) -> None:
        paces.append(pace)
        if announce and len(paces) == 1:
            announce(pace.seconds(_steps_left(program, streams), networks=len(streams) - 1))

    results = []
    for stream in streams:
        results.append(
            run_stream(
                program,
                levels[stream],
                models=models,
                timeout=timeout,
                record=record,
                advance=advanced,
                paced=paced,
            )
        )
        done = stream.stop
    return joined(results), paces[0]


def _steps_left(program: Program, streams: list[slice]) -> int:
    """Steps after the first sample."""
    steps = [Schedule.of(program, each.stop - each.start).steps for each in streams]
    return sum(steps) - Schedule.of(program, 1).steps
