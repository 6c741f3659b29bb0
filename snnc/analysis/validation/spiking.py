"""ANN and spiking network on the same samples: firing rates stand for activations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import nn

from snnc.analysis.validation.pairs import PairedRuns
from snnc.common.arrays import FloatArray, per_channel
from snnc.program import Layer, NeuronLayer, Program
from snnc.runtime.result import RunResult
from snnc.runtime.simulator import Simulator


class SpikingPairedRuns(PairedRuns):
    """Runs batches through ANN and simulator; a layer's value is Vth times spikes for each step.

    Args:
        program: The program.
        module: The network that it was compiled from.
        device: Where the simulator computes, as torch names it.
        memory: Bytes that it may take for what it computes at once; None: what is fastest.
        stop_at: Numbers of steps after which the simulator reports too.
    """

    def __init__(
        self,
        program: Program,
        module: nn.Module,
        *,
        device: str | torch.device = "cpu",
        memory: int | None = None,
        stop_at: Sequence[int] = (),
    ) -> None:
        simulator = Simulator(program, device, memory=memory)
        super().__init__(program, module, partial(simulator.run, record=True, stop_at=stop_at))
        names = {layer.name for layer in self.compared}
        self.layers: list[Layer] = [layer for layer in program.spiking_layers if layer.name in names]
        self._spiking = program

    def activations(self, result: RunResult) -> dict[str, FloatArray]:
        """Return what each compared layer of the network stands for, (samples, *layer shape)."""
        assert result.spikes is not None
        trains = dict(zip((layer.name for layer in self._spiking.spiking_layers), result.spikes, strict=True))
        return {
            layer.name: trains[layer.name].sum(axis=1) / self._spiking.timesteps * threshold_of(layer)
            for layer in self.layers
        }

    def unit(self, layer: NeuronLayer) -> FloatArray:
        """Return Vth: errors are given in the largest activation that a channel can represent."""
        return threshold_of(layer)


def threshold_of(layer: NeuronLayer) -> FloatArray:
    """Return Vth of each channel, shaped to be combined with a batch of the layer's values.

    Args:
        layer: Of integrate-and-fire neurons, whose scale it is.
    """
    return per_channel(layer.scale, len(layer.shape))
