"""How samples are dealt out: to streams that fit in memory, and to workers."""

from __future__ import annotations

import math

import numpy as np

from snnc.compiler.program import CompiledNetwork

# Memory for the input stream and the recorded spikes of one stream, which Lava holds as 32-bit numbers.
BUDGET = 1 << 30
# Work for a worker is cut so that starting its network costs at most this share of it, and ...
STARTING_SHARE = 0.05
# ... takes no less than this, so that progress is seen but not much time is spent on handing over.
LEAST_SECONDS = 10.0


def samples_per_stream(program: CompiledNetwork) -> int:
    """How many samples one stream holds within the memory budget."""
    widths = [int(np.prod(program.coding.shape)), *(layer.neurons for layer in program.spiking_layers)]
    return max(1, BUDGET // (4 * sum(widths) * program.interval))


def pieces(samples: int, size: int) -> list[slice]:
    """Samples in pieces of a size, the last one of what is left."""
    return [slice(start, min(start + size, samples)) for start in range(0, samples, size)]


def piece_size(samples: int, workers: int, start: float, sample: float) -> int:
    """How many samples a worker takes at a time.

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
