"""Several Lava networks side by side, each on its share of the samples, through joblib."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from numpy.typing import NDArray

from snnc.available_memory import check_memory
from snnc.compiler.program import Program
from snnc.errors import BackendError, SnncError, first_line
from snnc.runtime.joined import joined
from snnc.runtime.lava.available import lava_available
from snnc.runtime.lava.cluster import joblib_backend
from snnc.runtime.lava.interrupted_workers import no_complaints_when_interrupted
from snnc.runtime.lava.pace import Pace, mean_pace
from snnc.runtime.lava.run import run_here
from snnc.runtime.lava.schedule import Schedule
from snnc.runtime.lava.shares import piece_size, pieces
from snnc.runtime.lava.synapses import check_delays
from snnc.runtime.result import RunResult

# A share may take so many times what the first samples promise: other work may come to the machine.
SLOWDOWN = 10
# Bytes that a worker takes for torch and Lava alone, beside what it shares with others; measured 370 to 410 MiB.
WORKER_MEMORY = 400 << 20


def run_shared(
    program: Program,
    levels: NDArray[np.uint8],
    *,
    models: str,
    workers: int | None,
    cluster: str | None,
    timeout: float,
    record: bool,
    advance: Callable[[int], None] | None = None,
    announce: Callable[[float], None] | None = None,
) -> RunResult:
    """Runs samples on several networks, each in a process of its own.

    Each worker takes one sample first, which tells how long the others will take; those are cut into pieces, and a
    worker that is through with one takes the next.

    Args and errors are those of :func:`snnc.runtime.lava.run.run_lava`.
    """
    check_delays(program)
    if cluster is None and (reason := lava_available()):
        raise BackendError(f"the lava backend cannot run: {reason}")
    with joblib_backend(cluster):
        count = workers or effective_n_jobs(-1)
        if cluster is None:
            check_memory(count * WORKER_MEMORY, f"{count} workers", "take fewer workers")
        # No more is handed out than is worked on: joblib's processes cannot be ended in peace with work that waits.
        with (
            Parallel(n_jobs=count, return_as="generator", pre_dispatch="n_jobs", batch_size=1) as parallel,
            no_complaints_when_interrupted(),
        ):
            work = _Work(parallel, program, levels, models=models, timeout=timeout, record=record, advance=advance)
            # How long it takes is not known yet: a start and a sample.
            work.run(pieces(min(count, len(levels)), 1), timeout / SLOWDOWN)
            left = len(levels) - work.done
            pace = mean_pace(work.paces)
            schedule = Schedule.of(program, 1)
            size = piece_size(left, count, pace.start, pace.seconds(schedule.interval))
            shares = [slice(work.done + each.start, work.done + each.stop) for each in pieces(left, size)]
            if announce:
                steps = sum(Schedule.of(program, each.stop - each.start).steps for each in shares)
                announce(pace.seconds(steps, networks=len(shares)) / count)
            work.run(shares, pace.seconds(Schedule.of(program, size).steps, networks=1))
    return joined(work.results)


class _Work:
    """What was handed out, and what came back.

    Args:
        parallel: joblib's.
        program: The program.
        levels: All levels.
        models: ``fast`` or ``stock``.
        timeout: Seconds that a network may take to start, and for a sample.
        record: Keep every spike.
        advance: Called with the number of samples done.
    """

    def __init__(
        self,
        parallel: Parallel,
        program: Program,
        levels: NDArray[np.uint8],
        *,
        models: str,
        timeout: float,
        record: bool,
        advance: Callable[[int], None] | None,
    ) -> None:
        self._parallel = parallel
        self._program = program
        self._levels = levels
        self._models = models
        self._timeout = timeout
        self._record = record
        self._advance = advance
        self.results: list[RunResult] = []
        self.paces: list[Pace] = []
        self.done = 0

    def run(self, shares: Sequence[slice], seconds: float) -> None:
        """Has shares worked on; results come in the order of the samples.

        Args:
            shares: Which samples each of them holds.
            seconds: What the longest one should take.
        """
        calls = (
            delayed(run_here)(
                self._program, self._levels[each], models=self._models, timeout=self._timeout, record=self._record
            )
            for each in shares
        )
        # joblib asks it for how long it may wait for the share that it wants next.
        longest = self._parallel.timeout = self._timeout + SLOWDOWN * seconds
        try:
            for result, pace in self._parallel(calls):
                self.results.append(result)
                self.paces.append(pace)
                self.done += result.samples
                if self._advance:
                    self._advance(self.done)
        except SnncError:
            raise
        except (TimeoutError, multiprocessing.TimeoutError) as error:
            raise BackendError(
                f"a worker has not run its samples within {longest:g} s: it hangs, or is very slow",
                advice="if it is slow, give it more time with --lava-timeout",
            ) from error
        except Exception as error:  # whatever joblib's backend raises when a worker dies
            raise BackendError(
                f"a worker failed: {type(error).__name__}: {first_line(error)}",
                advice="try fewer workers: each needs memory for a network of its own",
            ) from error
