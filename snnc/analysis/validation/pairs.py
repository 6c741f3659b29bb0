"""ANN and simulator on the same samples, value by value."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from snnc.common.arrays import FloatArray, per_channel
from snnc.common.errors import ModelError
from snnc.compiler.compilation import graph_hash
from snnc.compiler.frontend import trace
from snnc.compiler.frontend.plain_layers import copied
from snnc.compiler.ir import Flatten, Graph, Identity, Output, Softmax, execute
from snnc.inputs.data import raw_values
from snnc.models.data import Dataset
from snnc.program import CompiledNetwork, NeuronLayer
from snnc.runtime.result import RunResult

# What single precision may add up to, beside the largest value.
SINGLE_PRECISION = 1e-4


@dataclass(frozen=True)
class LayerComparison:
    """A layer's values in the ANN and in the spiking network, over all samples and neurons.

    Attributes:
        name: The layer.
        modules: The PyTorch modules that it stands for.
        correlation: Pearson's, -1..1; None where one side is constant.
        mean_error: Mean absolute difference: for a spiking layer in thresholds (the largest activation that the
            channel can represent), for the readout and sigma-delta layers in the ANN's units.
        largest_error: Largest absolute difference, in the same unit.
        saturated: Share of the ANN's activations above the threshold, 0..1; 0 for the readout.
        bound: The largest error that rounding can make of any of the samples' values, in the same unit; None where no
            bound is known, as of spikes.
        out_of_bound: Values whose error is larger than their bound.
    """

    name: str
    modules: tuple[str, ...]
    correlation: float | None
    mean_error: float
    largest_error: float
    saturated: float
    bound: float | None = None
    out_of_bound: int = 0


class LayerStatistics:
    """Adds up what the comparison of a layer needs, batch by batch.

    Args:
        name: The layer.
        modules: The PyTorch modules that it stands for.
        unit: Threshold of each channel, shaped to be combined with a batch; None: 1.
    """

    def __init__(self, name: str, modules: tuple[str, ...], unit: FloatArray | None) -> None:
        self._name = name
        self._modules = modules
        self._unit = unit
        self._count = 0
        # Mean of both sides, and sums of squared and mixed deviations from it, merged as Chan et al. (1979) do: plain
        # sums of squares lose the digits that a correlation near 1 is made of.
        self._means = np.zeros(2)
        self._deviations = np.zeros((2, 2))
        self._error_sum = 0.0
        self._error_largest = 0.0
        self._saturated = 0
        self._bound: float | None = None
        self._out_of_bound = 0

    def add(self, ann: FloatArray, snn: FloatArray, bound: FloatArray | None = None) -> None:
        """Add a batch: all (batch, *shape), in the ANN's units; ``bound`` where one is known."""
        error = np.abs(snn - ann)
        if bound is not None:
            reached = bound.reshape(error.shape)
            self._bound = max(self._bound or 0.0, float(reached.max()))
            # The ANN computes in single precision.
            allowed = reached + SINGLE_PRECISION * np.abs(ann).max()
            self._out_of_bound += int((error > allowed).sum())
        if self._unit is not None:
            error = error / self._unit
            self._saturated += int((ann > self._unit).sum())
        self._error_sum += float(error.sum())
        self._error_largest = max(self._error_largest, float(error.max()))
        pair = np.stack([ann.ravel(), snn.ravel()])
        means = pair.mean(axis=1)
        centred = pair - means[:, None]
        count = pair.shape[1]
        total = self._count + count
        shift = means - self._means
        self._deviations += centred @ centred.T + np.outer(shift, shift) * self._count * count / total
        self._means += shift * count / total
        self._count = total

    def result(self) -> LayerComparison:
        """Return the comparison over all batches."""
        spread = math.sqrt(self._deviations[0, 0] * self._deviations[1, 1])
        return LayerComparison(
            name=self._name,
            modules=self._modules,
            correlation=float(self._deviations[0, 1]) / spread if spread > 0 else None,
            mean_error=self._error_sum / self._count,
            largest_error=self._error_largest,
            saturated=self._saturated / self._count,
            bound=self._bound,
            out_of_bound=self._out_of_bound,
        )


# Spikes of every layer are held for so many samples at most, and for so many bytes.
BATCH, RECORDED = 64, 256 << 20


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


class PairedRuns(ABC):
    """Runs batches through ANN and simulator; how the neurons' output stands for activations, each kind knows.

    The ANN gets the data as they are, so that rounding them to input levels is part of what is judged.

    Args:
        program: The program.
        module: The network that it was compiled from.
        simulate: Runs input levels on a simulator of the program, with all that neurons send recorded.

    Attributes:
        graph: The module, traced.
        compared: The layers, but for the readout, that stand for a value of the ANN.
        notes: What the user should know, one sentence each.
        batch_size: Samples that may be run at once.
        logits_name: The node of the graph whose value the readout stands for.
        simulate: As above.
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
        self.simulate = simulate
        # A copy, so that the caller's keeps its mode.
        self._module = copied(module)
        origin = program.provenance
        self._mean, self._std = np.array(origin.numbers("mean", 0.0)), np.array(origin.numbers("std", 1.0))

    def run(self, chunk: Dataset, levels: NDArray[np.uint8]) -> Pair:
        """Run a batch.

        Args:
            chunk: The samples.
            levels: The same as input levels.

        Raises:
            ModelError: The module has another number of outputs than the program, or they are not finite.
        """
        raw = raw_values(chunk)
        mean, std = (per_channel(each, raw.ndim - 1) for each in (self._mean, self._std))
        images = torch.as_tensor(((raw - mean) / std).astype(np.float32))
        with torch.no_grad():
            outputs = self._module(images).numpy()
        if not np.isfinite(outputs).all():
            raise ModelError(
                "its outputs are beyond the numbers that it computes in",
                where="model",
                expected="finite values",
                found="NaN or infinity on these data",
                advice="look whether the data are those that it was trained on, normalised in the same way",
            )
        names = [layer.name for layer in self.compared]
        values = execute(self.graph, images, keep=[*names, self.logits_name])
        result = self.simulate(levels)
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

    @abstractmethod
    def activations(self, result: RunResult) -> dict[str, FloatArray]:
        """Return what each compared layer of the network stands for, (samples, *layer shape), in the ANN's units.

        Args:
            result: A run with all that was sent.
        """

    def unit(self, layer: NeuronLayer) -> FloatArray | None:
        """Return the unit of a layer's errors, shaped to be combined with a batch; None: that of the ANN.

        Args:
            layer: One of those compared.
        """
        return None

    def bounds(self, raw: NDArray[Any], levels: NDArray[np.uint8], result: RunResult) -> dict[str, FloatArray]:
        """Return how far each layer may be from the ANN, in the ANN's units; none where nothing is known.

        Args:
            raw: The samples in raw values.
            levels: The same as input levels.
            result: What the simulator made of them.
        """
        return {}


# Layers that a note names.
_NAMED = 12


def _notes(program: CompiledNetwork, graph: Graph, compared: Sequence[NeuronLayer]) -> tuple[str, ...]:
    notes = []
    if graph_hash(graph) != program.provenance.model:
        notes.append("the model is not the one that the .net file was compiled from")
    left_out = [layer.name for layer in program.spiking_layers if layer.modules and layer not in compared]
    if left_out:
        named = ", ".join(left_out[:_NAMED]) + (f" and {len(left_out) - _NAMED:,} more" * (len(left_out) > _NAMED))
        notes.append(f"not compared, because no value of the model corresponds to them: {named}")
    return tuple(notes)


def _logits_node(graph: Graph) -> str:
    """Return the node that the readout approximates: the output, before a softmax, which the compiler takes off.

    A flatten only arranges its values otherwise, and may stand behind the softmax.
    """
    node = graph.output
    while isinstance(node.op, Output | Softmax | Identity | Flatten):
        (source,) = node.inputs
        node = graph[source]
    return node.name


def _has_value(graph: Graph, layer: NeuronLayer) -> bool:
    return layer.name in graph and math.prod(graph[layer.name].shape) == layer.values
