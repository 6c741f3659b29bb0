"""Running samples on Lava's CPU simulator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.program import Program
from snnc.errors import BackendError, DataError, SnncError
from snnc.runtime.lava.network import open_network
from snnc.runtime.result import RunResult

# Memory for the input stream and the recorded spikes of one stream, which Lava holds as 32-bit numbers.
BUDGET = 1 << 30


def run_lava(
    program: Program,
    levels: NDArray[np.uint8],
    *,
    record: bool = True,
    advance: Callable[[int], None] | None = None,
) -> RunResult:
    """Streams samples through Lava.

    Args:
        program: The program.
        levels: Input levels, (samples, *input shape).
        record: Keep every spike in the result.
        advance: Called with the number of samples done after each one.

    Returns:
        The same as the simulator's result, but for ``wraps``, which Lava does not tell.

    Raises:
        BackendError: Lava is not installed, cannot hold this network, or failed while running.
        DataError: There are no samples, or their shape does not fit.
    """
    if not len(levels) or levels.shape[1:] != program.coding.shape:
        raise DataError(
            "the data do not fit the network",
            expected=f"at least one sample of shape {program.coding.shape}",
            found=f"{len(levels)} of shape {tuple(levels.shape[1:])}",
        )
    size = samples_per_stream(program)
    parts = []
    for start in range(0, len(levels), size):
        parts.append(_run_stream(program, levels[start : start + size], start, advance))
    trains = tuple(np.concatenate(layers) for layers in zip(*(spikes for spikes, _ in parts), strict=True))
    events = program.coding.spikes(levels, program.timesteps) != 0
    return RunResult(
        readout=np.concatenate([readout for _, readout in parts]),
        spike_counts=tuple(train.sum((0, 1), dtype=np.int64) for train in trains),
        input_counts=events.sum((0, 1), dtype=np.int64),
        wraps=None,
        spikes=trains if record else None,
    )


def samples_per_stream(program: Program) -> int:
    """How many samples one stream holds within the memory budget."""
    widths = [int(np.prod(program.coding.shape)), *(layer.neurons for layer in program.spiking_layers)]
    return max(1, BUDGET // (4 * sum(widths) * (program.timesteps + 1)))


def _run_stream(
    program: Program, levels: NDArray[np.uint8], done: int, advance: Callable[[int], None] | None
) -> tuple[list[NDArray[np.bool_]], NDArray[np.int64]]:
    try:
        with open_network(program, levels) as network:
            schedule = network.schedule
            network.run(schedule.steps - schedule.interval * (schedule.samples - 1))
            for sample in range(1, schedule.samples):
                if advance:
                    advance(done + sample)
                network.run(schedule.interval)
            spikes = [network.spikes(index) for index in range(len(program.spiking_layers))]
            readout = network.readout()
    except SnncError:
        raise
    except Exception as error:  # whatever Lava raises when one of its processes fails
        raise BackendError(f"Lava failed: {type(error).__name__}: {error}") from error
    if advance:
        advance(done + len(levels))
    return spikes, readout
