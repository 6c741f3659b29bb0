"""How many samples and steps are computed at once, so that memory stays within a budget."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import torch

from snnc.common.errors import OptionError
from snnc.program import Program
from snnc.runtime.simulator.kernel import LayerKernel

# Memory for what is computed at once. On a CPU what its caches hold, for each thread: larger chunks wait for memory,
# in smaller ones starting an operation takes as long as doing it.
CPU_MEMORY = 36 << 20
# On a GPU what keeps all of it at work, and is there on any.
GPU_MEMORY = 1 << 30


def default_memory(device: torch.device) -> int:
    """Return the bytes that are best computed on at once, for each thread."""
    return CPU_MEMORY if device.type == "cpu" else GPU_MEMORY


@contextmanager
def exact_products(device: torch.device) -> Iterator[None]:
    """Keep matrix products of float32 in float32, as long as the block lasts, and record nothing for gradients."""
    with torch.no_grad():
        if device.type != "cuda":
            yield
            return
        before = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = False
        try:
            yield
        finally:
            torch.backends.cuda.matmul.allow_tf32 = before


# Allocators leave gaps between blocks of different sizes: resident memory was seen to be up to 2.2 times what tensors
# hold, most often less than twice.
GAPS = 2.25


@dataclass(frozen=True)
class Demand:
    """Memory that a network takes while it is computed, in bytes, gaps between tensors included.

    Attributes:
        sample: For each sample, however many steps: what is carried from one step to the next.
        step: For each sample and step more that is computed at once.
    """

    sample: int
    step: int


@dataclass(frozen=True)
class Chunks:
    """What is computed at once.

    Attributes:
        samples: Number of samples.
        steps: Number of steps of each.
    """

    samples: int
    steps: int

    def edges(self, stops: Sequence[int]) -> list[tuple[int, int]]:
        """Return the steps from the first to the last of ``stops``, in parts that end at each of these.

        Args:
            stops: Numbers of steps, ascending; the last one is how many there are in all.

        Returns:
            (first, end) of each part, at most ``steps`` long.
        """
        parts = []
        for first, end in pairwise((0, *stops)):
            parts += [(begin, min(begin + self.steps, end)) for begin in range(first, end, self.steps)]
        return parts


def demand(program: Program, kernels: Sequence[LayerKernel]) -> Demand:
    """Return the memory that a network takes at its widest place."""
    last_use = {synapse.source: index for index, layer in enumerate(program.layers) for synapse in layer.synapses}
    neurons = [layer.neurons for layer in program.layers]
    sizes = {-1: math.prod(program.coding.shape), **dict(enumerate(neurons))}
    step = 0
    for index, kernel in enumerate(kernels):
        waiting = sum(sizes[source] for source, last in last_use.items() if source < index <= last)
        step = max(step, waiting + kernel.bytes_per_step)
    sample = sum(kernel.dtype.itemsize * size for kernel, size in zip(kernels, neurons, strict=True))
    return Demand(int(GAPS * (sample + _waiting_for_leads(program))), int(GAPS * step))


def _waiting_for_leads(program: Program) -> int:
    """Return the bytes of spikes of a sample that wait for a path on which more layers lead."""
    lag: list[int] = []
    waiting = 0
    for layer in program.layers:
        sent = {
            synapse.source: lag[synapse.source] + program.lead_of(synapse.source) if synapse.source >= 0 else 0
            for synapse in layer.synapses
        }
        lag.append(max(sent.values()))
        # The input is coded anew as it is wanted; all else waits, and is copied as more of it comes.
        lags = ((lag[-1] - each) * program.layers[source].neurons for source, each in sent.items() if source >= 0)
        waiting += 2 * sum(lags)
    return waiting


def halved(batch_size: int, needed: Demand, memory: int) -> int:
    """Return a batch, halved until a step of it fits into memory; 1 at least.

    Args:
        batch_size: Samples at once that are wanted.
        needed: What the network takes.
        memory: Bytes that may be taken.
    """
    while batch_size > 1 and batch_size * (needed.sample + needed.step) > memory:
        batch_size //= 2
    return batch_size


def plan(needed: Demand, timesteps: int, memory: int, batch_size: int | None = None) -> Chunks:
    """Decide on chunks: whole samples where memory allows, else some steps of one.

    Args:
        needed: What the network takes.
        timesteps: Steps of a sample: T, and the lead.
        memory: Bytes that may be taken.
        batch_size: Samples at once that are wanted; None: as many as memory allows.

    Raises:
        OptionError: Not even a step of one sample fits, or of the batch that is wanted.
    """
    samples = batch_size or max(1, memory // (needed.sample + timesteps * needed.step))
    steps = min(timesteps, (memory - samples * needed.sample) // (samples * needed.step))
    if steps < 1:
        least = samples * (needed.sample + needed.step)
        raise OptionError(
            "is too small",
            where="memory",
            expected=f"at least {-(-least >> 20)} MiB for a step of {samples} sample{'s'[: samples > 1]}",
            found=f"{memory / (1 << 20):.3g} MiB for each thread",
            advice="give more memory or fewer threads",
        )
    return Chunks(samples, steps)
