"""Correcting a network layer after layer, each on the spikes of the quantised layers before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.compiler.conversion.calibration.corrections import CORRECTIONS
from snnc.compiler.conversion.calibration.layer_data import LayerData, Received, SpikeStore
from snnc.compiler.conversion.calibration.weights import movable, windows_seen
from snnc.compiler.ir import Graph, Node, Readout, Relay, SpikeMax2d, SpikingLayer
from snnc.program import InputCoding

# Samples on which errors are measured for reports.
JUDGED = 64


class Calibrator:
    """Runs calibration data through a network as its layers are quantised, one after the other, and corrects each.

    What a layer receives are the spikes that the layers before it send once they are corrected and quantised; what it
    is held against is the activation of the ANN. No labels are needed.

    Args:
        graph: Spiking layers with thresholds and initial potentials, as the ANN has them.
        levels: Calibration data as input levels, (samples, *input shape).
        coding: How they become input.
        timesteps: T.
        corrections: Names among ``CORRECTIONS``; each layer gets them in the order in which they stand there.
        lead: Steps that each layer integrates before it may fire.

    Attributes:
        errors: For each layer by name, and each stage ("before", then the corrections in order): the squared error of
            the rates (of the readout: of its mean input), relative to the squares of the ANN's activations.
        too_few: Layers whose weights were moved though the data show fewer windows than a neuron has inputs, by where
            they are, with both numbers.
    """

    def __init__(
        self,
        graph: Graph,
        levels: NDArray[np.uint8],
        coding: InputCoding,
        timesteps: int,
        corrections: Sequence[str],
        *,
        lead: int = 0,
    ) -> None:
        self._timesteps = timesteps
        self._lead = lead
        self._chosen = [name for name in CORRECTIONS if name in corrections]
        self._samples = len(levels)
        self._received: dict[str, Received] = {
            graph.input.name: Received.of_input(torch.as_tensor(levels, dtype=torch.float32), coding, timesteps)
        }
        readers: dict[str, list[str]] = {}
        for node in graph:
            for source in node.inputs:
                readers.setdefault(source, []).append(node.name)
        self._last_reader = {source: names[-1] for source, names in readers.items()}
        self.errors: dict[str, dict[str, float]] = {}
        self.too_few: dict[str, tuple[int, int]] = {}

    @property
    def mean_errors(self) -> dict[str, float]:
        """The errors of each stage, mean of the layers; each layer's first one is what the layers before leave."""
        errors = list(self.errors.values())
        return {stage: float(np.mean([each[stage] for each in errors])) for stage in ("before", *self._chosen)}

    @property
    def sentence(self) -> str:
        """What the corrections brought, for users."""
        return (
            f"corrected {', '.join(self._chosen)} on {self._samples:,} calibration samples: squared error of the "
            "layers' rates relative to the ANN's activations, mean of the layers, "
            + " -> ".join(f"{error:.3g}" for error in self.mean_errors.values())
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What users should know of the corrections."""
        few = tuple(
            f"{where}: weights were corrected on {seen:,} windows of {inputs:,} inputs each, too few to tell what is "
            "true of others; more calibration samples are better"
            for where, (seen, inputs) in self.too_few.items()
        )
        return (self.sentence, *few)

    def layer(self, node: Node) -> LayerData:
        """A layer and its data, once the layers that it reads have sent theirs."""
        sources = [self._received[source] for source in node.inputs]
        return LayerData(node, sources, self._samples, self._timesteps, self._lead)

    def corrected(self, layer: LayerData) -> SpikingLayer | Readout:
        """The layer, corrected, with the range that its drive now has."""
        op = layer.node.op
        assert isinstance(op, SpikingLayer | Readout)
        with torch.no_grad():
            first = movable(layer, op) if "weights" in self._chosen else None
            if first is not None and windows_seen(layer, first) < first.weight[0].size:
                self.too_few[layer.node.where] = (windows_seen(layer, first), first.weight[0].size)
            errors = {"before": _error(layer, op)}
            for name in self._chosen:
                op = CORRECTIONS[name](layer, op)
                errors[name] = _error(layer, op)
            self.errors[layer.node.name] = errors
            return _with_range(layer, op)

    def after(
        self, layer: LayerData, op: SpikingLayer | Readout, *, since: str | None = None, until: str | None = None
    ) -> SpikingLayer | Readout:
        """The layer after some of the chosen corrections, of which no errors are kept.

        Args:
            layer: The layer and its data.
            op: The layer as corrected so far.
            since: The correction to begin with; None: the first one.
            until: The correction to end before; None: none.
        """
        names = list(CORRECTIONS)
        begin = names.index(since) if since else 0
        end = names.index(until) if until else len(names)
        for name in names[begin:end]:
            if name in self._chosen:
                op = CORRECTIONS[name](layer, op)
        return op

    def send(self, layer: LayerData, op: SpikingLayer | Readout) -> None:
        """Sends the spikes of a layer on to those that read it.

        Args:
            layer: The layer as the ANN has it, and its data.
            op: The layer as it will run: corrected, with the values that quantisation left of it.
        """
        if isinstance(op, SpikingLayer):
            assert op.threshold is not None
            spikes = SpikeStore(self._samples, self._timesteps, layer.node.shape)
            activations = torch.empty(self._samples, *layer.node.shape)
            with torch.no_grad():
                for samples in layer.batches():
                    spikes.put(samples, layer.spikes(op, layer.drive(op, samples)))
                    activations[samples] = layer.ann_activation(samples)
            self._received[layer.node.name] = Received(activations, spikes, op.threshold)
        self._forget(layer.node)

    def pass_on(self, node: Node) -> None:
        """Sends what a memoryless population makes of its source."""
        assert isinstance(node.op, SpikeMax2d | Relay)
        (name,) = node.inputs
        source = self._received[name]
        spikes = SpikeStore(self._samples, self._timesteps, node.shape)
        for sample in range(self._samples):
            one = slice(sample, sample + 1)
            # Anything but 0 is a spike, so that what it stands for does not matter; a constant input stays 1 or 0.
            sent = source.sent(one)
            fired = node.op.apply(sent.flatten(0, 1)).reshape(len(sent), 1, *node.shape)
            spikes.put(one, fired.expand(self._timesteps, -1, *(-1 for _ in node.shape)))
        self._received[node.name] = Received(node.op.apply(source.activations), spikes, source.threshold)
        self._forget(node)

    def _forget(self, node: Node) -> None:
        for source in set(node.inputs):
            if self._last_reader[source] == node.name:
                del self._received[source]


def _error(layer: LayerData, op: SpikingLayer | Readout) -> float:
    wrong = total = 0.0
    for samples in layer.batches(slice(0, min(JUDGED, layer.samples))):
        wanted = layer.ann_activation(samples).double()
        if isinstance(op, SpikingLayer):
            found = layer.spikes(op, layer.drive(op, samples)).mean(0, dtype=torch.float64)
        else:
            found = layer.mean_drive(op, samples)
        wrong += float(((found - wanted) ** 2).sum())
        total += float((wanted**2).sum())
    return wrong / total if total else 0.0


def _with_range(layer: LayerData, op: SpikingLayer | Readout) -> SpikingLayer | Readout:
    """The layer with the range that its mean drive has on the spikes that it receives, added to the ANN's."""
    assert op.profile is not None
    low, high = op.profile.drive_minimum, op.profile.drive_maximum
    for samples in layer.batches():
        values = layer.mean_drive(op, samples).transpose(0, 1).flatten(1)
        low, high = np.minimum(low, values.amin(1).numpy()), np.maximum(high, values.amax(1).numpy())
    return replace(op, profile=replace(op.profile, drive_minimum=low, drive_maximum=high))
