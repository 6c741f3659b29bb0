"""Correcting a network layer after layer, each on the spikes of the quantised layers before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.compiler.conversion.calibration.corrections import CORRECTIONS
from snnc.compiler.conversion.calibration.layer_data import LayerData, Received, SpikeStore
from snnc.compiler.ir import Graph, Node, Readout, Relay, SpikeMax2d, SpikingLayer
from snnc.program import InputCoding
from snnc.program.provenance import CorrectionFigures
from snnc.program.verdict import Score

# Samples on which errors are measured for reports.
JUDGED = 64


@dataclass(frozen=True)
class TooFewWindows:
    """A layer whose weights were corrected though the data show fewer windows than a neuron has inputs.

    Attributes:
        where: The layer.
        seen: Windows.
        inputs: Inputs of a neuron.
    """

    where: str
    seen: int
    inputs: int


@dataclass(frozen=True)
class CorrectionsMade:
    """What the corrections of a network's layers brought.

    Attributes:
        names: The corrections, in the order in which each layer got them.
        samples: Calibration samples that they rest on.
        errors: Of each stage ("before", then the corrections) the squared error of the rates (of the readout: of its
            mean input), relative to the squares of the ANN's activations, mean of the layers; each layer's first one is
            what the layers before leave.
        too_few: Layers of which the data show too little.
    """

    names: tuple[str, ...]
    samples: int
    errors: Mapping[str, float]
    too_few: tuple[TooFewWindows, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What users are told."""
        few = (
            f"{each.where}: weights were corrected on {each.seen:,} windows of {each.inputs:,} inputs each, too few to "
            "tell what is true of others; more calibration samples are better"
            for each in self.too_few
        )
        sentence = (
            f"corrected {', '.join(self.names)} on {self.samples:,} calibration samples: squared error of the "
            "layers' rates relative to the ANN's activations, mean of the layers, "
            + " -> ".join(f"{error:.3g}" for error in self.errors.values())
        )
        return (sentence, *few)

    @property
    def recorded(self) -> CorrectionFigures:
        """What files keep of it."""
        errors = tuple(Score.of(stage, error) for stage, error in self.errors.items())
        return CorrectionFigures(self.names, self.samples, errors)


class Calibrator:
    """Runs calibration data through a network as its layers are quantised, one after the other, and corrects each.

    What a layer receives are the spikes that the layers before it send once they are corrected and quantised; what it
    is held against is the activation of the ANN. No labels are needed.

    Args:
        graph: Spiking layers with thresholds and initial potentials, as the ANN has them.
        levels: Calibration data as input levels, (samples, *input shape).
        coding: How they become the first layer's input.
        timesteps: T.
        corrections: Names among ``CORRECTIONS``; each layer gets them in the order in which they stand there.
        lead: Steps that each layer integrates before it may fire.

    Attributes:
        errors: For each layer by name, and each stage ("before", then the corrections in order): the squared error of
            the rates (of the readout: of its mean input), relative to the squares of the ANN's activations.
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
        self._too_few: dict[str, TooFewWindows] = {}

    @property
    def made(self) -> CorrectionsMade:
        """What the corrections brought, once all layers are corrected."""
        layers = list(self.errors.values())
        errors = {stage: float(np.mean([each[stage] for each in layers])) for stage in ("before", *self._chosen)}
        return CorrectionsMade(tuple(self._chosen), self._samples, errors, tuple(self._too_few.values()))

    def layer(self, node: Node) -> LayerData:
        """Return a layer and its data, once the layers that it reads have sent theirs."""
        sources = [self._received[source] for source in node.inputs]
        return LayerData(node, sources, self._samples, self._timesteps, self._lead)

    def corrected(self, layer: LayerData) -> SpikingLayer | Readout:
        """Return the layer, corrected, with the range that its drive now has."""
        op = layer.node.op
        assert isinstance(op, SpikingLayer | Readout)
        with torch.no_grad():
            for windows in filter(None, (CORRECTIONS[name].windows for name in self._chosen)):
                seen, inputs = windows(layer, op)
                if seen < inputs:
                    self._too_few[layer.node.where] = TooFewWindows(layer.node.where, seen, inputs)
            errors = {"before": _error(layer, op)}
            for name in self._chosen:
                op = CORRECTIONS[name](layer, op)
                errors[name] = _error(layer, op)
            self.errors[layer.node.name] = errors
            return _with_range(layer, op)

    def after(self, layer: LayerData, op: SpikingLayer | Readout, *, before_thresholds: bool) -> SpikingLayer | Readout:
        """Return the layer after some of the chosen corrections, of which no errors are kept.

        Args:
            layer: The layer and its data.
            op: The layer as corrected so far.
            before_thresholds: Whether those are wanted that come before thresholds are chosen, or the others.
        """
        for name in self._chosen:
            if CORRECTIONS[name].before_thresholds == before_thresholds:
                op = CORRECTIONS[name](layer, op)
        return op

    def send(self, layer: LayerData, op: SpikingLayer | Readout) -> None:
        """Send the spikes of a layer on to those that read it.

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
        """Send what a memoryless population makes of its source."""
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
    """Return the layer with the range that its mean drive has on the spikes that it receives, added to the ANN's."""
    assert op.profile is not None
    low, high = op.profile.drive_minimum, op.profile.drive_maximum
    for samples in layer.batches():
        values = layer.mean_drive(op, samples).transpose(0, 1).flatten(1)
        low, high = np.minimum(low, values.amin(1).numpy()), np.maximum(high, values.amax(1).numpy())
    return replace(op, profile=replace(op.profile, drive_minimum=low, drive_maximum=high))
