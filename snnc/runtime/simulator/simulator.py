"""Running a program on batches of data."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import repeat
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.common.errors import OptionError
from snnc.common.memory import available_memory, check_memory, keep_freed_memory
from snnc.common.progress import Progress, Unheard
from snnc.program import Program
from snnc.runtime.result import RunResult, check_levels, pieces
from snnc.runtime.simulator.chunks import Chunks, default_memory, demand, exact_products, halved, plan
from snnc.runtime.simulator.kernel import LayerKernel
from snnc.runtime.simulator.population import LayerOutput
from snnc.runtime.simulator.steps import InputSteps, Span, WaitingSpikes, input_steps
from snnc.runtime.simulator.tally import MembraneRange, Tally


def run_side_by_side(tasks: Iterable[Callable[[], None]], threads: int) -> None:
    """Run tasks, each on one thread; where one fails, those that have not begun are dropped.

    Threads that share a small operation spend their time waiting for one another; whole tasks side by side need not
    meet before the end.

    Args:
        tasks: What to do, in this order; no more are taken than run at a time.
        threads: How many run at a time; 1: in the calling thread, which may then use torch's own threads.
    """
    if threads == 1:
        for task in tasks:
            task()
        return
    count = torch.get_num_threads()
    pending: deque[Future[None]] = deque()
    try:
        with ThreadPoolExecutor(threads, "snnc-simulator", initializer=torch.set_num_threads, initargs=(1,)) as pool:
            try:
                for task in tasks:
                    pending.append(pool.submit(task))
                    if len(pending) >= 2 * threads:
                        pending.popleft().result()
                while pending:
                    pending.popleft().result()
            finally:
                for future in pending:
                    future.cancel()
    finally:
        # What a thread sets for itself becomes the default of threads that come later: set back once all have ended.
        torch.set_num_threads(count)


class Batch:
    """Some samples that are computed together; each layer takes what all of its sources have sent.

    Without lead all layers are at the same step after each advance. With lead a layer is behind those that it reads,
    and what a shorter path has brought waits for the longer one.

    Args:
        program: The program.
        kernels: Its layers.
        levels: Input levels of the samples, (batch, *input shape).
        device: Where to compute.
    """

    def __init__(
        self, program: Program, kernels: Sequence[LayerKernel], levels: NDArray[np.uint8], device: torch.device
    ) -> None:
        self._program = program
        self._kernels = kernels
        self._levels = levels
        self._device = device
        self._potentials: list[torch.Tensor | None] = [None] * len(kernels)
        # For each layer the steps of its window that are done.
        self._done = [0] * len(kernels)
        self._input: dict[tuple[int, int], InputSteps] = {}
        readers: dict[int, list[int]] = {}
        for index, layer in enumerate(program.layers):
            for synapse in layer.synapses:
                readers.setdefault(synapse.source, []).append(index)
        self._waiting = {source: WaitingSpikes(each) for source, each in readers.items() if source >= 0}

    @property
    def is_done(self) -> bool:
        """Whether the readout has seen everything."""
        return self._done[-1] == self._kernels[-1].window

    def input(self, first: int, steps: int) -> InputSteps:
        """Return what the input brings in some steps; what was asked for last is kept.

        Args:
            first: The first step, from 0.
            steps: Their number.
        """
        if (first, steps) not in self._input:
            self._input = {(first, steps): input_steps(self._program.coding, self._levels, first, steps, self._device)}
        return self._input[first, steps]

    def advance(self, steps: int) -> Iterator[tuple[int, LayerOutput, slice]]:
        """Take each layer as far as its sources allow, so many steps at most.

        Args:
            steps: At least 1.

        Yields:
            For each layer that got further its index, what it gave, and which of a sample's T spikes these are.
        """
        for index, kernel in enumerate(self._kernels):
            first, end = self._done[index], min(self._done[index] + steps, self._ready(index))
            if end == first:
                continue
            span = Span(first, end, self._program.timesteps, kernel.lead)
            inputs = self._inputs(index, first, span.arriving)
            output = kernel.run(inputs, end - first, self._potentials[index], first=first, ends=span.is_last)
            self._potentials[index] = output.potential
            self._done[index] = end
            for source in {synapse.source for synapse in kernel.layer.synapses} - {-1}:
                self._waiting[source].taken(index, min(end, self._program.timesteps))
            if index in self._waiting:
                self._waiting[index].add(output.spikes)
            yield index, output, span.spikes

    def _ready(self, index: int) -> int:
        """Return how many steps of a layer's window can be done, as far as its sources are."""
        timesteps, kernel = self._program.timesteps, self._kernels[index]
        there = min(
            timesteps if synapse.source < 0 else self._waiting[synapse.source].end for synapse in kernel.layer.synapses
        )
        return kernel.window if there == timesteps else there

    def _inputs(self, index: int, first: int, steps: int) -> list[torch.Tensor]:
        """Return what a layer's sources send in some steps, for each synapse; nothing for no steps."""
        sources = [synapse.source for synapse in self._kernels[index].layer.synapses if steps]
        return [
            self.input(first, steps).values if source < 0 else self._waiting[source].get(first, first + steps)
            for source in sources
        ]


class Simulator:
    """Simulates a program exactly: the same spikes as on Lava, whatever the batch, chunks, threads and device.

    A layer is computed for many steps at once, since spikes flow forward only; input that repeats itself is multiplied
    with the weights once for each period, a constant one once for all steps.

    Args:
        program: The program.
        device: Where to compute, as torch names it.
        memory: Bytes that may be taken for what is computed at once, on all threads together; weights, data and
            results come on top. None: what is fastest. It never changes the result.
        native: Whether to take the ways that only CPUs have; None: on a CPU. The others run there too, slowly.

    Raises:
        OptionError: Not even one step of one sample fits into the memory.

    Attributes:
        program: The program.
        proven: For each layer whether no input whatever can take a potential out of the chip's range.
        ranges: The membranes' ranges in the last run, readout included; None before it.
    """

    def __init__(
        self,
        program: Program,
        device: str | torch.device = "cpu",
        *,
        memory: int | None = None,
        native: bool | None = None,
    ) -> None:
        self.program = program
        self._device = torch.device(device)
        self._kernels = [
            LayerKernel(program, index, program.membrane_limit, self._device, native=native)
            for index in range(len(program.layers))
        ]
        self.proven = tuple(kernel.proven for kernel in self._kernels)
        self.ranges: tuple[MembraneRange, ...] | None = None
        # The longest window of a layer.
        self._window = program.timesteps + program.lead
        self._demand = demand(program, self._kernels)
        self._memory = memory
        plan(self._demand, self._window, self._budget(1))

    def _budget(self, threads: int, batch_size: int | None = None) -> int:
        """Return the bytes for each thread: what is fastest or a wanted batch needs, no more than given or free."""
        best = max(default_memory(self._device), (batch_size or 1) * (self._demand.sample + self._demand.step))
        if self._memory is not None:
            given = self._memory // threads
            return given if batch_size else min(best, given)
        free = available_memory(self._device)
        return best if free is None else min(best, free // threads)

    def batch_size(self) -> int:
        """Return how many samples are computed at once, all steps of them or, where a single one is too large, some."""
        return plan(self._demand, self._window, self._budget(1)).samples

    def run(
        self,
        levels: NDArray[np.uint8],
        *,
        record: bool = False,
        batch_size: int | None = None,
        stop_at: Sequence[int] = (),
        progress: Progress = Unheard(),
    ) -> RunResult:
        """Run samples.

        Args:
            levels: Input levels, (samples, *input shape).
            record: Keep every spike.
            batch_size: Samples computed at once, halved until they fit into memory; None: what memory allows.
            stop_at: Numbers of steps, 1..T, after which to report too: what a run that ended there would give. Not with
                lead: there a run of fewer steps stops bringing input earlier, and is no beginning of this one.
            progress: Told how many samples are done, after each batch.

        Raises:
            DataError: There are no samples, or their shape does not fit.
            OptionError: A number of steps is not among 1..T, or is wanted of a program with lead; not even a step of
                one sample fits into the memory, or the result does not.
        """
        check_levels(self.program.coding, levels)
        stops = self._stops(stop_at)
        threads, chunks = self._chunks(len(levels), batch_size)
        # How many steps each layer is taken further at a time, until the readout has seen all.
        parts: Iterable[int] = repeat(chunks.steps)
        if not self.program.lead:
            parts = [end - first for first, end in chunks.edges(stops)]
        self._check_result(len(levels), len(stops), record=record)
        tally = Tally(self.program, len(levels), stops, record=record)
        lock, done = Lock(), 0

        def batch(samples: slice) -> None:
            nonlocal done
            with exact_products(self._device):
                self._batch(levels[samples], parts, tally, samples, lock)
            with lock:
                done += samples.stop - samples.start
                progress.advance(done)

        keep_freed_memory()
        run_side_by_side((partial(batch, each) for each in pieces(len(levels), chunks.samples)), threads)
        self.ranges = tally.ranges
        return tally.result()

    def never_overflows(self, levels: NDArray[np.uint8]) -> bool:
        """Return whether every layer is proven never to overflow on samples like these.

        Args:
            levels: Input levels, (samples, *input shape); those that the data never had are no part of the proof.
        """
        return all(self.proven) and int(levels.max(initial=0)) <= self.program.coding.highest

    def _check_result(self, samples: int, stops: int, *, record: bool) -> None:
        """Raise OptionError where what a run of so many samples gives does not fit into memory."""
        readout, spikes = math.prod(self.program.readout.shape), 0
        if record:
            spikes = self.program.timesteps * sum(layer.neurons for layer in self.program.spiking_layers)
        check_memory(
            samples * (np.dtype(np.int64).itemsize * stops * readout + spikes),
            f"the result of {samples:,} samples",
            "take fewer samples" + (", or do not have spikes recorded" if record else ""),
        )

    def _stops(self, stop_at: Sequence[int]) -> tuple[int, ...]:
        timesteps = self.program.timesteps
        wrong = [each for each in stop_at if not 1 <= each <= timesteps]
        if wrong:
            raise OptionError(
                "is out of range", where="stop at", expected=f"steps from 1 to {timesteps}", found=str(wrong[0])
            )
        if self.program.lead and {*stop_at} - {timesteps}:
            raise OptionError(
                "is for programs without lead, of which fewer steps are the beginning of more",
                where="stop at",
                found=f"{', '.join(map(str, sorted(stop_at)))} with lead {self.program.lead}",
                advice="compile for each number of steps",
            )
        return tuple(sorted({*stop_at, timesteps}))

    def _chunks(self, samples: int, batch_size: int | None) -> tuple[int, Chunks]:
        """Return on how many threads to compute, and how much at once on each."""
        threads = 1 if self._device.type != "cpu" else min(torch.get_num_threads(), samples)
        memory = self._budget(threads, batch_size)
        batch_size = batch_size and halved(batch_size, self._demand, memory)
        chunks = plan(self._demand, self._window, memory, batch_size)
        if batch_size is None:
            # All threads have something to do, and the last ones to end do not end much later.
            chunks = Chunks(max(1, min(chunks.samples, -(-samples // threads))), chunks.steps)
        return min(threads, -(-samples // chunks.samples)), chunks

    def _batch(self, levels: NDArray[np.uint8], parts: Iterable[int], tally: Tally, samples: slice, lock: Lock) -> None:
        """Run samples together, some steps after others, and add up what they give."""
        batch = Batch(self.program, self._kernels, levels, self._device)
        begun = 0
        for steps in parts:
            end = min(begun + steps, self.program.timesteps)
            if end > begun:
                with lock:
                    tally.add_input(batch.input(begun, end - begun).counts, end)
            begun = end
            for index, output, span in batch.advance(steps):
                with lock:
                    tally.add_layer(index, output, samples, span)
            if batch.is_done:
                return
