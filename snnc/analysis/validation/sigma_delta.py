"""ANN and sigma-delta network on the same samples, value by value, with the bounds of what rounding moves."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from snnc.analysis.validation.pairs import PairedRuns
from snnc.common.arrays import FloatArray, per_channel
from snnc.compiler.compilation import graph_hash
from snnc.compiler.ir import MaxPool2d
from snnc.compiler.ir.passes import PassManager
from snnc.compiler.quantization.sigma_delta.chain import front_passes
from snnc.compiler.quantization.sigma_delta.error_bound import error_bounds
from snnc.program import SigmaDeltaProgram
from snnc.runtime.result import RunResult
from snnc.runtime.sigma_delta import SigmaDeltaSimulator


class SigmaDeltaPairedRuns(PairedRuns):
    """Runs batches through ANN and simulator; a layer's value is the sum of its messages.

    Args:
        program: The program.
        module: The network that it was compiled from.
        device: Where the simulator computes, as torch names it.
        memory: Bytes that it may take for what it computes at once; None: what is fastest.
    """

    def __init__(
        self,
        program: SigmaDeltaProgram,
        module: nn.Module,
        *,
        device: str | torch.device = "cpu",
        memory: int | None = None,
    ) -> None:
        simulator = SigmaDeltaSimulator(program, device, memory=memory)
        super().__init__(program, module, partial(simulator.run, record=True))
        self._sigma_delta = program
        self._simulator = simulator
        # Of another network, or one whose maximum pooling became average pooling, the program says nothing.
        is_same = graph_hash(self.graph) == program.provenance.model and not self.graph.of_kind(MaxPool2d)
        self._chain = PassManager(front_passes(self.graph, program.coding)).run(self.graph).graph if is_same else None

    def activations(self, result: RunResult) -> dict[str, FloatArray]:
        """Return what each compared layer of the network stands for, (samples, *shape without the constant channel)."""
        found = {}
        for layer, sums in zip(self._sigma_delta.spiking_layers, self._sums(result), strict=True):
            if layer.name in {each.name for each in self.compared}:
                scaled = sums * per_channel(layer.scale, sums.ndim - 1)
                found[layer.name] = scaled[:, : layer.shape[0] - 1]
        return found

    def bounds(self, raw: NDArray[Any], levels: NDArray[np.uint8], result: RunResult) -> dict[str, FloatArray]:
        """Return how far each layer after the input may be from the ANN, in the ANN's units."""
        if self._chain is None:
            return {}
        coding = self._sigma_delta.coding
        dimensions = len(coding.shape)
        # Levels, not rounded.
        inputs = (raw - per_channel(coding.offset, dimensions)) / per_channel(coding.unit, dimensions)
        found = error_bounds(self._chain, self._sigma_delta, inputs, levels, self._sums(result))
        return {layer.name: bound for layer, bound in zip(self._sigma_delta.layers[1:], found, strict=True)}

    def _sums(self, result: RunResult) -> list[FloatArray]:
        assert result.spikes is not None
        return [
            rest + messages.sum(axis=1).astype(np.float64)
            for rest, messages in zip(self._simulator.at_rest, result.spikes, strict=True)
        ]
