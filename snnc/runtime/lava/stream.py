"""One network and the samples that stream through it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snnc.common.errors import BackendError, SnncError
from snnc.common.progress import PartOf, Progress, Unheard, long_run
from snnc.program import CompiledNetwork, Program
from snnc.runtime.lava.available import import_lava
from snnc.runtime.lava.engine import LavaRun
from snnc.runtime.lava.network import LavaNetwork, open_network
from snnc.runtime.lava.schedule import Schedule
from snnc.runtime.result import RunResult, join_results, pieces


@dataclass(frozen=True)
class Pace:
    """What a network was seen to take.

    Attributes:
        start: Seconds from nothing to the end of the first step: building, starting, compiling.
        step: Seconds for each step after it.
    """

    start: float
    step: float

    def seconds(self, steps: int, networks: int = 0) -> float:
        """Return the seconds for so many steps, and for starting so many networks more."""
        return self.step * steps + self.start * networks


def mean_pace(paces: Sequence[Pace]) -> Pace:
    """Return the mean of several, at least one."""
    return Pace(
        *(sum(values) / len(paces) for values in zip(*((each.start, each.step) for each in paces), strict=True))
    )


# Memory for the input stream and the recorded spikes of one stream, which Lava holds as 32-bit numbers.
BUDGET = 1 << 30
# Work for a worker is cut so that starting its network costs at most this share of it, and ...
STARTING_SHARE = 0.05
# ... takes no less than this, so that progress is seen but not much time is spent on handing over.
LEAST_SECONDS = 10.0


def samples_per_stream(program: CompiledNetwork) -> int:
    """Return how many samples one stream holds within the memory budget."""
    widths = [int(np.prod(program.coding.shape)), *(layer.neurons for layer in program.spiking_layers)]
    return max(1, BUDGET // (4 * sum(widths) * program.interval))


def piece_size(samples: int, workers: int, start: float, sample: float) -> int:
    """Return how many samples a worker takes at a time.

    Args:
        samples: Samples that are left.
        workers: Number of workers.
        start: Seconds to start a network.
        sample: Seconds for each sample.

    Returns:
        Enough for starting to cost little, but never so many that a worker has nothing to do.
    """
    enough = max(start / STARTING_SHARE, LEAST_SECONDS) / max(sample, 1e-9)
    return max(1, min(math.ceil(samples / workers), math.ceil(enough)))


def run_stream(
    program: Program,
    levels: NDArray[np.uint8],
    how: LavaRun,
    *,
    progress: Progress = Unheard(),
    paced: Callable[[Pace], None] | None = None,
) -> RunResult:
    """Run samples on a network of their own.

    Samples follow each other with one blank step between them, and none that is idle but for those in which the first
    sample fills the pipeline and the last one leaves it.

    Args:
        program: The program.
        levels: Input levels, (samples, *input shape), at least one sample.
        how: How; it runs here, whatever the workers.
        progress: Told how many samples are done.
        paced: Told after the first sample how fast the network is.

    Raises:
        BackendError: Lava is not installed, or failed while running.
    """
    try:
        # What a process does once is no part of what starting a network takes.
        import_lava()
        began = time.perf_counter()
        with open_network(program, levels, how.models, how.timeout) as network:
            schedule = network.schedule
            network.run(1)
            started = time.perf_counter()
            steps = schedule.steps - schedule.interval * (schedule.samples - 1) - 1
            network.run(steps)
            if paced:
                paced(Pace(started - began, (time.perf_counter() - started) / steps))
            for sample in range(1, schedule.samples):
                progress.advance(sample)
                network.run(schedule.interval)
            result = _result(network, levels, record=how.record)
    except SnncError:
        raise
    except Exception as error:  # whatever Lava raises when one of its processes fails
        raise BackendError(f"Lava failed: {type(error).__name__}: {error}") from error
    progress.advance(len(levels))
    return result


def _result(network: LavaNetwork, levels: NDArray[np.uint8], *, record: bool) -> RunResult:
    program = network.program
    counts, kept = [], []
    for index in range(len(program.spiking_layers)):
        train = network.spikes(index)
        counts.append(train.sum((0, 1), dtype=np.int64))
        if record:
            kept.append(train)
    events = program.coding.spikes(levels, program.timesteps) != 0
    return RunResult(
        readout=network.readout(),
        spike_counts=tuple(counts),
        input_counts=events.sum((0, 1), dtype=np.int64),
        wraps=None,
        spikes=tuple(kept) if record else None,
    )


def run_here(
    program: Program, levels: NDArray[np.uint8], how: LavaRun, progress: Progress = Unheard()
) -> tuple[RunResult, Pace]:
    """Run samples on one network after the other, as many as memory asks for.

    Args:
        program: The program.
        levels: Input levels, (samples, *input shape), at least one sample.
        how: How; it runs here, whatever the workers.
        progress: Told how many samples are done, and once, after the first one, how long the others will take.

    Returns:
        The result, and how fast the first network was.

    Raises:
        BackendError: Lava is not installed, or failed while running.
    """
    streams = pieces(len(levels), samples_per_stream(program))
    paces: list[Pace] = []

    def paced(pace: Pace) -> None:
        paces.append(pace)
        if len(paces) == 1:
            seconds = pace.seconds(_steps_left(program, streams), networks=len(streams) - 1)
            progress.say(long_run(seconds, len(levels)))

    results = []
    for stream in streams:
        part = PartOf(progress, stream.start)
        results.append(run_stream(program, levels[stream], how, progress=part, paced=paced))
    return join_results(results), paces[0]


def _steps_left(program: Program, streams: list[slice]) -> int:
    """Return the steps after the first sample."""
    steps = [Schedule.of(program, each.stop - each.start).steps for each in streams]
    return sum(steps) - Schedule.of(program, 1).steps
