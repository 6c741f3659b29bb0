"""Several Lava networks side by side, each on its share of the samples, through joblib."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Iterator, Sequence

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs, parallel_config
from numpy.typing import NDArray

from snnc.common.errors import BackendError, OptionError, SnncError, first_line
from snnc.common.memory import check_memory
from snnc.common.progress import Progress, Unheard, long_run
from snnc.program import Program
from snnc.runtime.lava.available import lava_available
from snnc.runtime.lava.engine import LavaRun
from snnc.runtime.lava.schedule import Schedule
from snnc.runtime.lava.stream import Pace, mean_pace, piece_size, run_here
from snnc.runtime.lava.synapses import check_delays
from snnc.runtime.result import RunResult, join_results, pieces

EXPECTED = "dask:ADDRESS, such as dask:tcp://host:8786; ray; or ray:ADDRESS"
# A scheduler that does not answer for so long is not there.
SECONDS_TO_CONNECT = 10


@contextlib.contextmanager
def joblib_backend(cluster: str | None) -> Iterator[None]:
    """Have joblib's ``Parallel`` run its work on a cluster, or here, within the block.

    Args:
        cluster: None (processes of this machine), ``dask:ADDRESS``, ``ray`` or ``ray:ADDRESS``.

    Raises:
        OptionError: It names no cluster.
        BackendError: What it takes is not installed, or the cluster does not answer.
    """
    if cluster is None:
        # One thread for each network: there are as many as the user wants cores to be used.
        with parallel_config(backend="loky", inner_max_num_threads=1, initializer=ignore_interrupts):
            yield
        return
    name, _, address = cluster.partition(":")
    if name == "dask" and address:
        with _dask(address), parallel_config(backend="dask", wait_for_workers_timeout=SECONDS_TO_CONNECT):
            yield
    elif name == "ray":
        _register_ray(address)
        with parallel_config(backend="ray"):
            yield
    else:
        raise OptionError("cannot be understood", where="cluster", expected=EXPECTED, found=repr(cluster))


def ignore_interrupts() -> None:
    """Have a worker leave Ctrl-C, which reaches all processes of a terminal, to whoever started it and will end it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextlib.contextmanager
def _dask(address: str) -> Iterator[None]:
    try:
        from distributed import Client
    except ImportError:
        raise BackendError(
            "the cluster cannot be used: dask is not installed for this Python",
            advice='install it with: pip install "dask[distributed]"',
        ) from None
    try:
        client = Client(address, timeout=SECONDS_TO_CONNECT)
    except (OSError, TimeoutError, ValueError) as error:
        raise BackendError(
            "the cluster does not answer",
            where=f"dask:{address}",
            expected="the address of a dask scheduler that runs",
            found=first_line(error),
        ) from error
    with client:
        if not client.scheduler_info()["workers"]:
            raise BackendError(
                "the cluster has no workers", where=f"dask:{address}", advice="start some with: dask worker ADDRESS"
            )
        yield


def _register_ray(address: str) -> None:
    try:
        import ray
        from ray.util.joblib import register_ray
    except ImportError:
        raise BackendError(
            "the cluster cannot be used: ray is not installed for this Python",
            advice="install it with: pip install ray",
        ) from None
    try:
        if not ray.is_initialized():
            ray.init(address=address or None, log_to_driver=False)
    except (ConnectionError, OSError, ValueError) as error:
        raise BackendError(
            "the cluster does not answer", where=f"ray:{address}" if address else "ray", found=first_line(error)
        ) from error
    register_ray()


# Name of the thread that hands work out (loky's process_executor.py).
_THREAD = "ExecutorManagerThread"


@contextlib.contextmanager
def no_complaints_when_interrupted() -> Iterator[None]:
    """Have joblib's thread fail in silence where its work is interrupted within the block.

    loky takes the work that waits away from the thread that is about to hand it out, which then finds it missing and
    prints a traceback, while the interruption is still on its way here. So what that thread says is held back until it
    is known how the work ended; a run that is not interrupted says it then. All other threads are heard as ever.
    """
    usual = threading.excepthook
    held: list[threading.ExceptHookArgs] = []

    def hold(arguments: threading.ExceptHookArgs) -> None:
        if arguments.thread is not None and arguments.thread.name == _THREAD:
            held.append(arguments)
        else:
            usual(arguments)

    threading.excepthook = hold
    is_interrupted = True
    try:
        yield
        is_interrupted = False
    except Exception:
        is_interrupted = False
        raise
    finally:
        # After an interruption the thread may still be about to fail.
        if not is_interrupted:
            threading.excepthook = usual
            for arguments in held:
                usual(arguments)


# A share may take so many times what the first samples promise: other work may come to the machine.
SLOWDOWN = 10
# Bytes that a worker takes for torch and Lava alone, beside what it shares with others; measured 370 to 410 MiB.
WORKER_MEMORY = 400 << 20


def run_shared(program: Program, levels: NDArray[np.uint8], how: LavaRun, progress: Progress = Unheard()) -> RunResult:
    """Run samples on several networks, each in a process of its own.

    Each worker takes one sample first, which tells how long the others will take; those are cut into pieces, and a
    worker that is through with one takes the next.

    Args and errors are those of :func:`snnc.runtime.lava.run.run_lava`.
    """
    check_delays(program)
    if how.cluster is None and (reason := lava_available()):
        raise BackendError(f"the lava backend cannot run: {reason}")
    with joblib_backend(how.cluster):
        count = how.workers or effective_n_jobs(-1)
        if how.cluster is None:
            check_memory(count * WORKER_MEMORY, f"{count} workers", "take fewer workers")
        # No more is handed out than is worked on: joblib's processes cannot be ended in peace with work that waits.
        with (
            Parallel(n_jobs=count, return_as="generator", pre_dispatch="n_jobs", batch_size=1) as parallel,
            no_complaints_when_interrupted(),
        ):
            work = _Work(parallel, program, levels, how, progress)
            # How long it takes is not known yet: a start and a sample.
            work.run(pieces(min(count, len(levels)), 1), how.timeout / SLOWDOWN)
            left = len(levels) - work.done
            pace = mean_pace(work.paces)
            schedule = Schedule.of(program, 1)
            size = piece_size(left, count, pace.start, pace.seconds(schedule.interval))
            shares = [slice(work.done + each.start, work.done + each.stop) for each in pieces(left, size)]
            steps = sum(Schedule.of(program, each.stop - each.start).steps for each in shares)
            progress.say(long_run(pace.seconds(steps, networks=len(shares)) / count, len(levels)))
            work.run(shares, pace.seconds(Schedule.of(program, size).steps, networks=1))
    return join_results(work.results)


class _Work:
    """What was handed out, and what came back.

    Args:
        parallel: joblib's.
        program: The program.
        levels: All levels.
        how: How.
        progress: Told how many samples are done; workers themselves tell nobody.
    """

    def __init__(
        self, parallel: Parallel, program: Program, levels: NDArray[np.uint8], how: LavaRun, progress: Progress
    ) -> None:
        self._parallel = parallel
        self._program = program
        self._levels = levels
        self._how = how
        self._progress = progress
        self.results: list[RunResult] = []
        self.paces: list[Pace] = []
        self.done = 0

    def run(self, shares: Sequence[slice], seconds: float) -> None:
        """Have shares worked on; their results come in the order of the samples.

        Args:
            shares: Which samples each of them holds.
            seconds: What the longest one should take.
        """
        calls = (delayed(run_here)(self._program, self._levels[each], self._how) for each in shares)
        # joblib asks it for how long it may wait for the share that it wants next.
        longest = self._parallel.timeout = self._how.timeout + SLOWDOWN * seconds
        try:
            for result, pace in self._parallel(calls):
                self.results.append(result)
                self.paces.append(pace)
                self.done += result.samples
                self._progress.advance(self.done)
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
