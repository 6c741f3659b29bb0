"""One network and the samples that stream through it."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.program import Program
from snnc.errors import BackendError, SnncError
from snnc.runtime.lava.available import import_lava
from snnc.runtime.lava.network import LavaNetwork, open_network
from snnc.runtime.lava.pace import Pace
from snnc.runtime.lava.timeout import DEFAULT_TIMEOUT
from snnc.runtime.result import RunResult


def run_stream(
    program: Program,
    levels: NDArray[np.uint8],
    *,
    models: str,
    record: bool,
    timeout: float = DEFAULT_TIMEOUT,
    advance: Callable[[int], None] | None = None,
    paced: Callable[[Pace], None] | None = None,
) -> RunResult:
    """Runs samples on a network of their own.

    Samples follow each other with one blank step between them, and none that is idle but for those in which the first
    sample fills the pipeline and the last one leaves it.

    Args:
        program: The program.
        levels: Input levels, (samples, *input shape), at least one sample.
        models: ``fast`` or ``stock``.
        record: Keep every spike in the result.
        timeout: Seconds that the network may take to start, and for a sample.
        advance: Called with the number of samples done after each one.
        paced: Told after the first sample how fast the network is.

    Raises:
        BackendError: Lava is not installed, or failed while running.
        OptionError: There are no such models.
    """
    try:
        # What a process does once is no part of what starting a network takes.
        import_lava()
        began = time.perf_counter()
        with open_network(program, levels, models, timeout) as network:
            schedule = network.schedule
            network.run(1)
            started = time.perf_counter()
            steps = schedule.steps - schedule.interval * (schedule.samples - 1) - 1
            network.run(steps)
            if paced:
                paced(Pace(started - began, (time.perf_counter() - started) / steps))
            for sample in range(1, schedule.samples):
                if advance:
                    advance(sample)
                network.run(schedule.interval)
            result = _result(network, levels, record=record)
    except SnncError:
        raise
    except Exception as error:  # whatever Lava raises when one of its processes fails
        raise BackendError(f"Lava failed: {type(error).__name__}: {error}") from error
    if advance:
        advance(len(levels))
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
