"""From float layers to the chip's integers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.ir import Conv2d, Graph, Input, Linear, Node, QuantizedLayer, Readout, SpikingLayer
from snnc.compiler.ir.ops import FloatArray
from snnc.compiler.passes.conditions import profiled, quantized, thresholds_assigned
from snnc.compiler.passes.manager import Pass, PassResult
from snnc.compiler.program import Gate, InputCoding, Layer, Membrane, Scaled, Synapse
from snnc.compiler.program.layer import IntegerArray
from snnc.compiler.program.membrane_bounds import Window, drive_bounds, window
from snnc.compiler.targets import Target
from snnc.errors import TargetError

# A bias reaches the neuron through a synapse of multiples of 256 and one of -128..127.
BIAS_MAXIMUM = 127 * 256
THRESHOLD_MAXIMUM = Scaled(255, 7).value
# Rounding of weights, bias and gate, kept free when the scale is chosen before it is known.
SLACK = 1024


class Quantize(Pass):
    """Chooses each layer's scale and rounds its weights, bias and initial potential.

    1. The layer is normalised to a threshold of 1: ``W' = diag(1/Vth) W diag(Vth of the source)``; thresholds per
       channel vanish in the weights, since a population has one threshold.
    2. theta is the largest ``mantissa * 2**exponent`` for which the weights fit, the bias fits and the membrane stays
       within the state's width over the window and the gate's pulse. The membrane's range is the proven one where
       that costs no precision, else the calibration data's times a margin.
    3. ``w = 2 round(W' theta / 2)`` (even numbers, design.md 4), ``b = round(b' theta)``, ``v0 = round(v0' theta)``.
    4. Where channels want different ``v0 / Vth`` (T = 1), the population starts at their mean, and the rest, divided
       by T, joins the bias; at T = 1 that is the same.
    5. The readout has no threshold; its scale is the largest that fits.

    Args:
        target: The chip.
        timesteps: T.
        coding: How data become input.
        margin: How many times the calibration data's range a membrane must hold where its range is not proven;
            infinity: only proven ranges are used.
    """

    title = "quantising"
    requires = (profiled, thresholds_assigned)
    ensures = (quantized,)

    def __init__(self, target: Target, timesteps: int, coding: InputCoding, *, margin: float) -> None:
        self._target = target
        self._timesteps = timesteps
        self._coding = coding
        self._margin = margin

    def run(self, graph: Graph) -> PassResult:
        """Quantises every layer."""
        graph = graph.copy()
        indices: dict[str, int] = {graph.input.name: -1}
        thresholds: dict[str, FloatArray] = {graph.input.name: self._input_threshold()}
        proven = 0
        for node in graph.of_kind(SpikingLayer, Readout):
            assert isinstance(node.op, SpikingLayer | Readout)
            layer, is_proven = self._layer(graph, node, indices, thresholds)
            proven += is_proven
            indices[node.name] = len(indices) - 1
            if isinstance(node.op, SpikingLayer):
                assert node.op.threshold is not None
                thresholds[node.name] = node.op.threshold
            # The activations have done their work; a large network's would fill the memory.
            graph.replace(node.name, QuantizedLayer(replace(node.op, profile=None), layer))
        return PassResult(graph, True, {"layers": len(indices) - 1, "layers_proven": proven})

    def _input_threshold(self) -> FloatArray:
        """The levels that one input spike of each channel stands for."""
        return np.full(self._coding.shape[0], float(self._coding.levels_per_unit))

    def _layer(
        self, graph: Graph, node: Node, indices: Mapping[str, int], thresholds: Mapping[str, FloatArray]
    ) -> tuple[Layer, bool]:
        op = node.op
        assert isinstance(op, SpikingLayer | Readout) and op.profile is not None
        spiking = isinstance(op, SpikingLayer)
        channels = node.shape[0]
        unit = op.threshold if isinstance(op, SpikingLayer) and op.threshold is not None else np.ones(channels)
        shapes = [graph[source].shape for source in node.inputs]
        weights = [
            normalized_weight(synapse, unit, thresholds[source], shape)
            for synapse, source, shape in zip(op.synapses, node.inputs, shapes, strict=True)
        ]
        per_channel = (-1,) + (1,) * (len(node.shape) - 1)
        bias = normalized_bias(op.synapses, len(node.shape)) / unit.reshape(per_channel)
        start = 0.0
        if isinstance(op, SpikingLayer) and op.initial_potential is not None:
            fractions = op.initial_potential / unit
            start = float(fractions.mean())
            bias = bias + (fractions - start).reshape(per_channel) / self._timesteps

        measured = (
            float((op.profile.drive_minimum / unit).min()),
            float((op.profile.drive_maximum / unit).max()),
        )
        interval = self._interval(node, op.synapses, weights, shapes, node.inputs, bias, graph)
        scale, trusted, is_proven = self._scale(
            weights, bias, start, interval, measured, spiking=spiking, where=node.where
        )
        threshold = Scaled.below(scale) if spiking else None
        theta = threshold.value if threshold else scale

        synapses = tuple(
            as_synapse(synapse, self._rounded(weight * theta), indices[source])
            for synapse, weight, source in zip(op.synapses, weights, node.inputs, strict=True)
        )
        if any(not synapse.weight.any() for synapse in synapses):
            raise TargetError(
                "all weights round to zero in the chip's integers",
                where=node.where,
                advice="the layer ignores its input; choose a smaller T or other thresholds",
            )
        integers = np.rint(bias * theta).astype(np.int32)
        potential = min(round(start * theta), threshold.value - 1) if threshold else 0
        firing = threshold.value - potential if threshold else math.inf
        low, high = drive_bounds(node.shape, synapses, self._sources(graph, node, shapes))
        low, high = low + integers, high + integers
        bounds = window(int(low.min()), int(high.max()), theta if spiking else math.inf, firing, self._timesteps)
        gate = None
        if threshold:
            end = bounds.end if is_proven else trusted.end * theta
            gate = smallest_gate(end + max(0, int(integers.max())) - firing + 1)
        layer = Layer(
            name=node.name,
            modules=node.modules,
            shape=node.shape,
            synapses=synapses,
            bias=integers,
            threshold=threshold,
            initial_potential=potential,
            gate=gate,
            scale=unit if spiking else np.full(channels, 1 / theta),
            membrane=Membrane((math.floor(bounds.low), math.ceil(bounds.high))),
        )
        return layer, is_proven

    def _sources(
        self, graph: Graph, node: Node, shapes: list[tuple[int, ...]]
    ) -> tuple[tuple[tuple[int, ...], int], ...]:
        return tuple(
            (shape, self._coding.largest if isinstance(graph[source].op, Input) else 1)
            for shape, source in zip(shapes, node.inputs, strict=True)
        )

    def _interval(
        self,
        node: Node,
        synapses: tuple[Conv2d | Linear, ...],
        weights: list[FloatArray],
        shapes: list[tuple[int, ...]],
        inputs: tuple[str, ...],
        bias: FloatArray,
        graph: Graph,
    ) -> tuple[float, float]:
        """Range of a step's input over all inputs, in thresholds."""
        # Scaled up to integers that float64 sums exactly, so that one function serves both.
        grain = 2.0**20
        whole = tuple(
            as_synapse(synapse, np.rint(weight * grain).astype(np.int64), 0)
            for synapse, weight in zip(synapses, weights, strict=True)
        )
        low, high = drive_bounds(node.shape, whole, self._sources(graph, node, shapes))
        return float((low / grain + bias).min()), float((high / grain + bias).max())

    def _scale(
        self,
        weights: list[FloatArray],
        bias: FloatArray,
        start: float,
        interval: tuple[float, float],
        measured: tuple[float, float],
        *,
        spiking: bool,
        where: str,
    ) -> tuple[float, Window, bool]:
        """Weight units per threshold, the membrane's range in thresholds that it rests on, and whether it is proven."""
        target = self._target
        limits = [float(THRESHOLD_MAXIMUM) if spiking else math.inf]
        for weight in weights:
            if weight.max() > 0:
                limits.append(target.weight_maximum / float(weight.max()))
            if weight.min() < 0:
                limits.append(target.weight_minimum / float(weight.min()))
        if bias.any():
            limits.append(BIAS_MAXIMUM / float(np.abs(bias).max()))
        fitting = min(limits)
        if not math.isfinite(fitting):
            raise TargetError("all weights are zero", where=where, advice="remove the layer")

        def room(low: float, high: float) -> tuple[float, Window]:
            level = (1.0, 1 - start) if spiking else (math.inf, math.inf)
            bounds = window(low, high, *level, self._timesteps)
            gate = max(0.0, bounds.end + max(0.0, float(bias.max())) - (1 - start)) if spiking else 0.0
            span = max(-bounds.low - min(0.0, float(bias.min())) + gate, bounds.high)
            limits = [(target.membrane_limit - SLACK) / max(span, 1e-30)]
            if target.input_limit is not None:
                # What arrives in one step: synapses with the last spike's reset, or the gate with bias and reset.
                step = max(high, 1 - low, gate + float(np.abs(bias).max()) + 1)
                limits.append((target.input_limit - SLACK) / step)
            return min(limits), bounds

        proven_room, proven_bounds = room(*interval)
        if fitting <= proven_room:
            return fitting, proven_bounds, True
        if math.isfinite(self._margin):
            low, high = measured
            # The readout is linear, so a margin on both ends; spikes come unevenly, hence a threshold more.
            measured_room, measured_bounds = room(min(0.0, low) * self._margin - 1, max(0.0, high) * self._margin + 1)
            if measured_room > proven_room:
                return min(fitting, measured_room), measured_bounds, False
        if proven_room < 1:
            raise TargetError(
                "the membrane potential does not fit the chip's state",
                where=where,
                expected=f"less than {target.membrane_limit} weight units",
                advice=f"choose T below {self._timesteps}",
            )
        return proven_room, proven_bounds, True

    def _rounded(self, weight: FloatArray) -> NDArray[np.int16]:
        """Weights in the chip's steps, within its range."""
        step = self._target.weight_step
        steps = np.rint(weight / step) * step
        limited = steps.clip(self._target.weight_minimum, self._target.weight_maximum)
        rounded: NDArray[np.int16] = limited.astype(np.int16)
        return rounded


def normalized_weight(
    synapse: Conv2d | Linear, unit: FloatArray, source: FloatArray, shape: tuple[int, ...]
) -> FloatArray:
    """Weights in thresholds of the layer per spike of the source.

    Args:
        synapse: The float operation.
        unit: Threshold of each channel of the layer.
        source: Threshold of each channel of the source.
        shape: Shape of the source.
    """
    if isinstance(synapse, Linear):
        return synapse.weight * np.repeat(source, math.prod(shape[1:])) / unit[:, None]
    grouped = synapse.weight.reshape(synapse.groups, -1, *synapse.weight.shape[1:])
    scaled: FloatArray = grouped * source.reshape(synapse.groups, 1, -1, 1, 1)
    return scaled.reshape(synapse.weight.shape) / unit.reshape(-1, 1, 1, 1)


def normalized_bias(synapses: tuple[Conv2d | Linear, ...], axes: int) -> FloatArray:
    """Sum of the biases, shaped to be added to a layer with that many axes."""
    biases = [synapse.bias if isinstance(synapse, Linear) else synapse.bias_map() for synapse in synapses]
    total = sum(biases[1:], start=biases[0])
    return total.reshape(-1, *(1,) * (axes - 1)) if total.ndim < axes else total


def as_synapse(synapse: Conv2d | Linear, weight: IntegerArray, source: int) -> Synapse:
    """The operation's connections with other weights."""
    if isinstance(synapse, Linear):
        return Synapse(source, "dense", weight)
    return Synapse(
        source,
        "conv",
        weight,
        synapse.stride,
        synapse.padding,
        synapse.dilation,
        synapse.groups,
    )


def smallest_gate(needed: float) -> Gate:
    """The weakest gate of at least ``needed`` weight units."""
    largest = Scaled(255, 7)
    count = max(1, math.ceil(needed / largest.value))
    return Gate(Scaled.above(max(1.0, needed / count)), count)
