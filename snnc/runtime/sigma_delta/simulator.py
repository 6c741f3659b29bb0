"""Running a sigma-delta program on batches of data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.common.errors import OptionError
from snnc.common.progress import Progress, Unheard
from snnc.program import SigmaDeltaProgram
from snnc.program.bounds import sigma_delta_bounds
from snnc.program.messages import SPIKE_EXPONENT
from snnc.runtime.result import RunResult, check_levels, pieces
from snnc.runtime.sigma_delta.layer import Extremes, LayerSimulator, State
from snnc.runtime.simulator.chunks import CPU_MEMORY, exact_products

# Of a value that is computed: drive, sigma, activation, delta, messages and what compares them.
BYTES = 8 * 8


class SigmaDeltaSimulator:
    """Simulates a sigma-delta program exactly: the same messages as on Lava, whatever the batch and device.

    The state at rest is computed once; from there the input reaches each layer in one step, so that a batch takes one
    product for each layer.

    Args:
        program: The program.
        device: Where to compute, as torch names it.
        memory: Bytes that may be taken for what is computed at once; None: what is fastest.
        native: Whether to take the ways that only CPUs have; None: on a CPU. The others run there too.

    Raises:
        OptionError: Not even one sample fits into the memory.

    Attributes:
        at_rest: For each layer that sends, the sums of the messages by which it came to rest in the last run, of the
            layer's shape; nothing before it.
        extremes: For each layer what its neurons came to in the last run; None before it.
    """

    def __init__(
        self,
        program: SigmaDeltaProgram,
        device: str | torch.device = "cpu",
        *,
        memory: int | None = None,
        native: bool | None = None,
    ) -> None:
        self.program = program
        self.at_rest: tuple[NDArray[np.int64], ...] = ()
        self.extremes: tuple[Extremes, ...] | None = None
        self._device = torch.device(device)
        self._native = self._device.type == "cpu" if native is None else native
        self._bounds = sigma_delta_bounds(program.coding, program.layers)
        sample = BYTES * max(layer.neurons for layer in program.layers)
        if memory is not None and memory < sample:
            raise OptionError(
                "is too small for one sample",
                where="memory",
                expected=f"at least {sample:,} bytes",
                found=f"{memory:,}",
            )
        self._batch = max(1, (memory or 8 * CPU_MEMORY) // sample)

    def run(
        self,
        levels: NDArray[np.uint8],
        *,
        record: bool = False,
        batch_size: int | None = None,
        stop_at: Sequence[int] = (),
        progress: Progress = Unheard(),
    ) -> RunResult:
        """Run samples, each from rest.

        Args:
            levels: Input levels, (samples, *input shape).
            record: Keep every message.
            batch_size: Samples computed at once; None: what memory allows.
            stop_at: No number of steps: only the last one has a result.
            progress: Told how many samples are done, after each batch.

        Returns:
            Messages in the place of spikes; ``wraps`` counts what left the range in which all backends compute exactly.

        Raises:
            DataError: There are no samples, or their shape does not fit.
            OptionError: A result is wanted after fewer steps.
        """
        program = self.program
        if stop_at:
            raise OptionError(
                "is for programs of integrate-and-fire neurons: the readout of sigma-delta neurons moves in its last "
                "step",
                where="stop at",
                found=str(stop_at[0]),
            )
        check_levels(program.coding, levels)
        layers = [
            LayerSimulator(layer, program.source_shape(index - 1), self._device, bounds, native=self._native)
            for index, (layer, bounds) in enumerate(zip(program.layers, self._bounds, strict=True))
        ]
        tally = _Tally(program, len(levels), record=record)
        size = batch_size or self._batch
        with exact_products(self._device):
            states, self.at_rest = _at_rest(layers)
            for part in pieces(len(levels), size):
                self._run_batch(levels[part], layers, states, tally, part)
                progress.advance(part.stop)
        self.extremes = tuple(layer.extremes for layer in layers)
        return tally.result(tuple(layer.extremes.overflows for layer in layers))

    def never_overflows(self, levels: NDArray[np.uint8]) -> bool:
        """Return False: what layers come to is found out by running them.

        Args:
            levels: Input levels, (samples, *input shape).
        """
        return False

    def _run_batch(
        self,
        levels: NDArray[np.uint8],
        layers: list[LayerSimulator],
        states: list[State],
        tally: _Tally,
        part: slice,
    ) -> None:
        messages = torch.as_tensor(levels, device=self._device).to(torch.float64) * (1 << SPIKE_EXPONENT)
        tally.add_input(levels)
        for index, (layer, state) in enumerate(zip(layers, states, strict=True)):
            _, messages = layer.step(state, messages)
            tally.add_layer(index, messages.to(torch.int64).cpu().numpy(), part)


def _at_rest(layers: list[LayerSimulator]) -> tuple[list[State], tuple[NDArray[np.int64], ...]]:
    """Return what the input finds: biases have passed through, a step for each layer before.

    Returns:
        The states, and the sums of what each layer sent, of those that send.
    """
    states: list[State] = []
    sums: list[NDArray[np.int64]] = []
    before: list[torch.Tensor] = []
    for layer in layers:
        state, messages = layer.step(layer.start(), None)
        sent = [messages]
        for arrived in before:
            state, messages = layer.step(state, arrived)
            sent.append(messages)
        states.append(state)
        sums.append(torch.cat(sent).sum(dim=0).to(torch.int64).cpu().numpy())
        before = sent
    return states, tuple(sums[:-1])


class _Tally:
    """Messages and results of a run.

    Args:
        program: The program.
        samples: Number of samples.
        record: Whether to keep every message.
    """

    def __init__(self, program: SigmaDeltaProgram, samples: int, *, record: bool) -> None:
        sending = program.spiking_layers
        self._counts = [np.zeros(layer.shape, np.int64) for layer in sending]
        self._inputs = np.zeros(program.coding.shape, np.int64)
        self._readout = np.zeros((samples, *program.readout.shape), np.int64)
        self._messages = None
        if record:
            self._messages = [np.zeros((samples, program.timesteps, *layer.shape), np.int32) for layer in sending]

    def add_input(self, levels: NDArray[np.uint8]) -> None:
        """Add the input of some samples."""
        self._inputs += np.count_nonzero(levels, axis=0)

    def add_layer(self, index: int, messages: NDArray[np.int64], samples: slice) -> None:
        """Add what a layer sent when the input reached it; of the readout, what it holds."""
        if index == len(self._counts):
            self._readout[samples] = messages
            return
        self._counts[index] += np.count_nonzero(messages, axis=0)
        if self._messages is not None:
            self._messages[index][samples, index + 1] = messages

    def result(self, overflows: tuple[int, ...]) -> RunResult:
        """Return the whole run."""
        return RunResult(
            readout=self._readout,
            spike_counts=tuple(self._counts),
            input_counts=self._inputs,
            wraps=overflows,
            spikes=None if self._messages is None else tuple(self._messages),
        )
