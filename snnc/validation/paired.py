"""ANN and simulator on the same samples, value by value."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from snnc.compiler.compilation import graph_hash
from snnc.compiler.frontend import trace
from snnc.compiler.ir import Graph, Identity, Output, Softmax, execute
from snnc.compiler.program import CompiledNetwork, Layer, NeuronLayer
from snnc.errors import FormatError, ModelError
from snnc.inputs import raw_values
from snnc.models.data import Dataset
from snnc.runtime.result import RunResult

# Spikes of every layer are held for so many samples at most, and for so many bytes.
BATCH, RECORDED = 64, 256 << 20
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pair:
    """A batch in both.

    Attributes:
        images: What the ANN sees, (samples, *input shape).
        outputs: What the module gives for them, (samples, classes).
        activations: The ANN's activation for each compared layer by name, (samples, *layer shape).
        rates: What the network has in their place: Vth times spikes for each step, the same.
        bounds: How far each layer may be from the ANN, by name, where that is known; else none.
        ann_logits: What the readout stands for, (samples, *shape of the readout).
        snn_logits: The readout in the same unit.
        result: The simulator's run, spikes included.
    """

    images: torch.Tensor
    outputs: FloatArray
    activations: dict[str, FloatArray]
    rates: dict[str, FloatArray]
    bounds: dict[str, FloatArray]
    ann_logits: FloatArray
    snn_logits: FloatArray
    result: RunResult


class PairedRuns:
    """Runs batches through ANN and simulator.

    The ANN gets the data as they are, so that rounding them to input levels is part of what is judged.

    Args:
        program: The program.
        module: The network that it was compiled from.
        simulate: Runs input levels on a simulator of the program, with every spike recorded.

    Attributes:
        graph: The module, traced.
        compared: The spiking layers that stand for a value of the ANN.
        notes: What the user should know, one sentence each.
        batch_size: Samples that may be run at once.
        logits_name: The node of the graph whose value the readout stands for.
    """

    def __init__(
        self, program: CompiledNetwork, module: nn.Module, simulate: Callable[[NDArray[np.uint8]], RunResult]
    ) -> None:
        self.graph = trace(module, program.coding.shape)
        self.compared: list[NeuronLayer] = [layer for layer in program.spiking_layers if _has_value(self.graph, layer)]
        self.notes = _notes(program, self.graph, self.compared)
        self.logits_name = _logits_node(self.graph)
        recorded = sum(layer.neurons for layer in program.spiking_layers) * program.timesteps
        self.batch_size = max(1, min(BATCH, RECORDED // recorded)) if recorded else BATCH
        self._program = program
        self._simulate = simulate
        # A copy, so that the caller's keeps its mode.
        self._module = copy.deepcopy(module).eval().float()
        self._mean, self._std = (_option(program, name) for name in ("mean", "std"))

    def run(self, chunk: Dataset, levels: NDArray[np.uint8]) -> Pair:
        """Runs a batch.

        Args:
            chunk: The samples.
            levels: The same as input levels.

        Raises:
            ModelError: The module has another number of outputs than the program.
        """
        raw = raw_values(chunk)
        spread = (-1,) + (1,) * (raw.ndim - 2)
        images = torch.as_tensor(((raw - self._mean.reshape(spread)) / self._std.reshape(spread)).astype(np.float32))
        with torch.no_grad():
            outputs = self._module(images).numpy()
        names = [layer.name for layer in self.compared]
        values = execute(self.graph, images, keep=[*names, self.logits_name])
        result = self._simulate(levels)
        assert result.spikes is not None
        rates = self.activations(result)
        logits = self._program.logits(result.readout)
        expected = values[self.logits_name].numpy().astype(np.float64)
        if expected.size != logits.size:
            raise ModelError(
                "has another number of outputs than the .net file",
                where="model",
                expected=str(logits[0].size),
                found=str(expected[0].size),
            )
        return Pair(
            images=images,
            outputs=outputs.reshape(len(outputs), -1),
            activations={name: values[name].numpy().astype(np.float64).reshape(rates[name].shape) for name in names},
            rates=rates,
            bounds=self.bounds(raw, levels, result),
            ann_logits=expected.reshape(logits.shape),
            snn_logits=logits,
            result=result,
        )

    def activations(self, result: RunResult) -> dict[str, FloatArray]:
        """What each compared layer of the network stands for, (samples, *layer shape)."""
        assert result.spikes is not None
        trains = dict(zip((layer.name for layer in self._program.spiking_layers), result.spikes, strict=True))
        return {
            layer.name: trains[layer.name].sum(axis=1) / self._program.timesteps * threshold_of(layer)
            for layer in self.compared
            if isinstance(layer, Layer)
        }

    def bounds(self, raw: NDArray[Any], levels: NDArray[np.uint8], result: RunResult) -> dict[str, FloatArray]:
        """How far each layer may be from the ANN, in the ANN's units: of spikes nothing is known.

        Args:
            raw: The samples in raw values.
            levels: The same as input levels.
            result: What the simulator made of them.
        """
        return {}


def threshold_of(layer: Layer) -> FloatArray:
    """Vth of each channel, shaped to be combined with a batch of the layer's values."""
    return layer.scale.reshape((-1,) + (1,) * (len(layer.shape) - 1))


def _notes(program: CompiledNetwork, graph: Graph, compared: Sequence[NeuronLayer]) -> tuple[str, ...]:
    notes = []
    if graph_hash(graph) != program.provenance.model:
        notes.append("the model is not the one that the .net file was compiled from")
    left_out = [layer.name for layer in program.spiking_layers if layer.modules and layer not in compared]
    if left_out:
        notes.append(f"not compared, because no value of the model corresponds to them: {', '.join(left_out)}")
    return tuple(notes)


def _logits_node(graph: Graph) -> str:
    """The node whose value the readout approximates: the output, before a softmax, which the compiler takes off."""
    node = graph.output
    while isinstance(node.op, Output | Softmax | Identity):
        (source,) = node.inputs
        node = graph[source]
    return node.name


def _has_value(graph: Graph, layer: NeuronLayer) -> bool:
    return layer.name in graph and math.prod(graph[layer.name].shape) == layer.values


def _option(program: CompiledNetwork, name: str) -> NDArray[np.float64]:
    """Mean or standard deviation that the program was compiled with."""
    text = program.provenance.options.get(name)
    try:
        return np.array([float(each) for each in (text or "").split()] or [{"mean": 0.0, "std": 1.0}[name]])
    except ValueError:
        raise FormatError(f"{name} is not a list of numbers", where="provenance", found=repr(text)) from None
