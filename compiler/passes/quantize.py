"""From float layers to the chip's integers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.calibration import Calibrator
from snnc.compiler.calibration.layer_data import LayerData
from snnc.compiler.ir import (
    Conv2d,
    Graph,
    Input,
    Linear,
    Node,
    QuantizedLayer,
    Readout,
    Relay,
    SpikeMax2d,
    SpikingLayer,
    Weighted,
)
from snnc.compiler.ir.ops import FloatArray
from snnc.compiler.passes.choose_scale import (
    BIAS_MAXIMUM,
    PROOF_WORTH,
    NormalizedLayer,
    Scale,
    as_synapse,
    choose_scale,
    has_netx_form,
)
from snnc.compiler.passes.conditions import profiled, quantized, thresholds_assigned
from snnc.compiler.passes.dequantize import dequantized
from snnc.compiler.passes.input_moments import SAMPLES_MAXIMUM, Place, has_moments, measure_input_moments
from snnc.compiler.passes.manager import Pass, PassResult
from snnc.compiler.passes.normalize import normalized_bias, normalized_weight
from snnc.compiler.passes.weight_rounding import WeightRounding
from snnc.compiler.program import Entries, Gate, InputCoding, Layer, Membrane, Scaled, Synapse
from snnc.compiler.program.membrane_bounds import drive_bounds, highest_silenced, is_safe, window
from snnc.compiler.solver.rounding import rounded_down
from snnc.compiler.targets import Target
from snnc.errors import TargetError

# Below this many weight units between two levels, rounding weights and biases blurs them.
UNITS_PER_LEVEL = 2

# Among the pass's figures: how far rounding the weights for the input moves a step's drive, in thresholds (standard
# deviation, the mean of a layer's channels).
INPUT_DEVIATION = "input_deviation"

# Of the room that membranes have beyond the calibration data's range, the share of those that the input alone feeds.
INPUT_SHARE = 0.25


@dataclass(frozen=True)
class _Outcome:
    """A quantised layer.

    Attributes:
        layer: The layer.
        proven: Whether no input can make its membrane leave the chip's range.
        input_deviation: See :meth:`Quantize._input_deviation`.
        bits_given: By how many bits its scale is smaller than with the usual margin, so that its range is proven.
    """

    layer: Layer
    proven: bool
    input_deviation: float
    bits_given: float


class Quantize(Pass):
    """Chooses each layer's scale and rounds its weights, bias and initial potential.

    1. The layer is normalised to a threshold of 1: ``W' = diag(1/Vth) W diag(Vth of the source)``; thresholds per
       channel vanish in the weights, since a population has one threshold.
    2. theta is the largest ``mantissa * 2**exponent`` for which the weights fit, the bias fits and the membrane stays
       within the state's width over the window and the gate's pulse (:func:`choose_scale`).
    3. ``w = 2 round(W' theta / 2)`` (even numbers, design.md 4), ``b = round(b' theta)``, ``v0 = round(v0' theta)``.
       Where it is known what a synapse reads, a weight is rounded up or down as makes least of the errors of all of a
       neuron's weights together, and the bias takes what they change on average (:class:`WeightRounding`).
       Synapses that netx does not load have an exponent, the smallest with which their weights fit: the weights of a
       shortcut need not be of the size of those beside it.
    4. Where channels want different ``v0 / Vth`` (T = 1), the population starts at their mean, and the rest, divided
       by T, joins the bias; at T = 1 that is the same.
    5. The readout has no threshold; its scale is the largest that fits.
    6. What is memoryless passes spikes on: one spike is all that a neuron of it needs, and its spikes stand for what
       those of its source stand for.

    Args:
        target: The chip.
        timesteps: T.
        coding: How data become input.
        margin: How many times the calibration data's range a membrane must hold where its range is not proven;
            infinity: only proven ranges are used. Of what goes beyond once, layers that the input alone feeds need a
            quarter only.
        least_units: Weight units that a threshold has to keep at a proven scale, if weights and bias leave it as many.
        rounding: Rounds the weights; None: each to the nearest.
        calibrator: Corrects each layer before it is quantised, on the spikes of those that already are; None: nothing
            is corrected.
        lead: Steps that a spiking layer integrates before it may fire, 0..T.
    """

    title = "quantising to the chip's integers"
    requires = (profiled, thresholds_assigned)
    ensures = (quantized,)

    def __init__(
        self,
        target: Target,
        timesteps: int,
        coding: InputCoding,
        *,
        margin: float,
        least_units: float = 1.0,
        rounding: WeightRounding | None = None,
        calibrator: Calibrator | None = None,
        lead: int = 0,
    ) -> None:
        self._lead = lead
        self._target = target
        self._timesteps = timesteps
        self._coding = coding
        self._margin = margin
        self._least_units = least_units
        self._rounding = rounding or WeightRounding(target)
        self._calibrator = calibrator
        if calibrator:
            self.title = "correcting layers and quantising them"

    @property
    def name(self) -> str:
        """The class's name; another one where layers are corrected too, since both runs are recorded."""
        return "CorrectAndQuantize" if self._calibrator else super().name

    def run(self, graph: Graph) -> PassResult:
        """Quantises every layer."""
        graph = graph.copy()
        indices: dict[str, int] = {graph.input.name: -1}
        thresholds: dict[str, FloatArray] = {graph.input.name: self._input_threshold()}
        proven = 0
        input_deviation = 0.0
        notes = []
        given: dict[str, float] = {}
        for node in graph.of_kind(SpikingLayer, Readout, SpikeMax2d, Relay):
            if isinstance(node.op, SpikeMax2d | Relay):
                (source,) = node.inputs
                self._check_relayed(graph[source])
                thresholds[node.name] = thresholds[source]
                layer = memoryless_layer(node, graph[source].shape, indices[source], thresholds[source])
                indices[node.name] = len(indices) - 1
                proven += 1
                graph.replace(node.name, QuantizedLayer(node.op, layer))
                if self._calibrator:
                    self._calibrator.pass_on(node)
                continue
            assert isinstance(node.op, SpikingLayer | Readout)
            data = self._calibrator.layer(node) if self._calibrator else None
            corrected = node if data is None else self._corrected(data)
            outcome = self._layer(graph, corrected, indices, thresholds)
            layer = outcome.layer
            if self._calibrator and data:
                assert isinstance(corrected.op, SpikingLayer | Readout)
                sources = [thresholds[source] for source in node.inputs]
                shapes = [graph[source].shape for source in node.inputs]
                self._calibrator.send(data, dequantized(corrected.op, layer, sources, shapes))
            proven += outcome.proven
            input_deviation = max(input_deviation, outcome.input_deviation)
            if outcome.bits_given > math.log2(PROOF_WORTH):
                given[node.where] = outcome.bits_given
            if layer.threshold and layer.threshold.value < UNITS_PER_LEVEL * self._timesteps:
                notes.append(
                    f"{node.where}: {layer.threshold.value} weight units are too few for T = {self._timesteps} levels "
                    "in a 24-bit membrane; a smaller T is as accurate"
                )
            indices[node.name] = len(indices) - 1
            if isinstance(corrected.op, SpikingLayer):
                assert corrected.op.threshold is not None
                thresholds[node.name] = corrected.op.threshold
            # The activations have done their work; a large network's would fill the memory.
            graph.replace(node.name, QuantizedLayer(replace(node.op, profile=None), layer))
        if given:
            most = max(given, key=lambda where: given[where])
            notes.append(
                f"so that no input can overflow, {len(given)} of {len(indices) - 1} layers have smaller weights than "
                f"the calibration data call for; {most} gives most, {given[most]:.1f} bits"
            )
        figures: dict[str, int | float | str] = {
            "layers": len(indices) - 1,
            "layers_proven": proven,
            INPUT_DEVIATION: input_deviation,
        }
        if self._calibrator:
            figures |= {f"error_{stage}": error for stage, error in self._calibrator.mean_errors.items()}
            notes.extend(self._calibrator.notes)
        return PassResult(graph, True, figures, tuple(notes))

    def _corrected(self, data: LayerData) -> Node:
        """The layer, corrected; its weights will be rounded for what it now reads."""
        assert self._calibrator
        op = self._calibrator.corrected(data)
        for place, (synapse, source) in enumerate(zip(op.synapses, data.sources, strict=True)):
            if has_moments(synapse):
                assert isinstance(synapse, Conv2d | Linear)
                rates = source.spike_rates(slice(0, min(SAMPLES_MAXIMUM, data.samples)))
                self._rounding.tell((data.node.name, place), measure_input_moments(synapse, rates))
        return replace(data.node, op=op)

    def _check_relayed(self, source: Node) -> None:
        """What is memoryless fires or not: it cannot pass on numbers, as graded input has them."""
        if isinstance(source.op, Input) and self._coding.largest > 1:
            raise TargetError(
                "would have to wait longer than a synapse can hold it back, and a relay passes no numbers on",
                where="input",
                expected=f"at most {self._target.maximum_delay} steps",
                advice="choose a smaller lead, or loihi1, whose input is rate-coded",
            )

    def _input_threshold(self) -> FloatArray:
        """The levels that one input spike of each channel stands for."""
        return np.full(self._coding.shape[0], float(self._coding.levels_per_unit))

    def _layer(
        self, graph: Graph, node: Node, indices: Mapping[str, int], thresholds: Mapping[str, FloatArray]
    ) -> _Outcome:
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

        normalized = NormalizedLayer(
            synapses=op.synapses,
            weights=tuple(weights),
            bias=bias,
            start=start,
            sources=self._sources(graph, node, shapes),
            shape=node.shape,
            measured=(
                float((op.profile.drive_minimum / unit).min()),
                float((op.profile.drive_maximum / unit).max()),
            ),
            spiking=spiking,
            where=node.where,
        )
        # The input comes evenly, so that a membrane that only the input feeds does what the calibration data say.
        only_input = all(isinstance(graph[source].op, Input) for source in node.inputs)
        margin = 1 + (self._margin - 1) * INPUT_SHARE if only_input else self._margin
        scale = choose_scale(normalized, self._target, self._timesteps, margin, self._lead, self._least_units)
        if not spiking:
            # A threshold is rounded to the chip's; this is written as it is.
            scale = replace(scale, units=rounded_down(scale.units))
        indexed = [indices[source] for source in node.inputs]
        layer, is_proven = self._rounded_layer(node, normalized, unit, scale, indexed)
        while scale.proven and not is_proven:
            # Rounding moved the range by a little more than the slack that was left for it.
            scale = replace(scale, units=rounded_down(scale.units * 0.98))
            layer, is_proven = self._rounded_layer(node, normalized, unit, scale, indexed)
        theta = layer.threshold.value if layer.threshold else scale.units
        deviation = self._input_deviation(node, normalized, theta, layer.synapses)
        return _Outcome(layer, is_proven, deviation, math.log2(scale.usual / scale.units))

    def _rounded_layer(
        self, node: Node, normalized: NormalizedLayer, unit: FloatArray, scale: Scale, sources: list[int]
    ) -> tuple[Layer, bool]:
        """The layer at a scale, and whether no input can make its membrane leave the chip's range."""
        threshold = Scaled.below(scale.units) if normalized.spiking else None
        theta = threshold.value if threshold else scale.units
        synapses = tuple(
            self._rounded_synapse((node.name, place), synapse, weight * theta, source)
            for place, (synapse, weight, source) in enumerate(
                zip(normalized.synapses, normalized.weights, sources, strict=True)
            )
        )
        if all(not synapse.weight.any() for synapse in synapses):
            raise TargetError(
                "all weights round to zero in the chip's integers",
                where=node.where,
                advice="the layer ignores its input; choose a smaller T or other thresholds",
            )
        bias = self._rounded_bias(node, normalized, theta, synapses)
        potential = min(round(normalized.start * theta), threshold.value - 1) if threshold else 0
        firing = threshold.value - potential if threshold else math.inf
        low, high = drive_bounds(node.shape, synapses, normalized.sources)
        drive = (int((low + bias).min()), int((high + bias).max()))
        lead = self._lead if threshold else 0
        bounds = window(*drive, theta if threshold else math.inf, firing, self._timesteps, lead)
        gate = None
        if threshold:
            silenced = bounds if scale.proven else scale.window.scaled(theta)
            gate = smallest_gate(highest_silenced(silenced, max(0, int(bias.max())), lead) - firing + 1)
        layer = Layer(
            name=node.name,
            modules=node.modules,
            shape=node.shape,
            synapses=synapses,
            bias=bias,
            threshold=threshold,
            initial_potential=potential,
            gate=gate,
            scale=unit if threshold else np.full(node.shape[0], 1 / theta),
            membrane=Membrane((math.floor(bounds.low), math.ceil(bounds.high))),
        )
        return layer, is_safe(
            layer, drive, self._timesteps, self._target.membrane_limit, lead, self._target.input_limit
        )

    def _sources(
        self, graph: Graph, node: Node, shapes: list[tuple[int, ...]]
    ) -> tuple[tuple[tuple[int, ...], int], ...]:
        return tuple(
            (shape, self._coding.largest if isinstance(graph[source].op, Input) else 1)
            for shape, source in zip(shapes, node.inputs, strict=True)
        )

    def _rounded_synapse(self, place: Place, op: Weighted, weight: FloatArray, source: int) -> Synapse:
        exponent = 0
        if place[1] or not has_netx_form(op):
            while exponent < self._target.weight_exponent_maximum and not self._fits(weight / 2**exponent):
                exponent += 1
        return as_synapse(op, self._rounding.rounded(place, weight / 2**exponent), source, exponent)

    def _rounded_bias(
        self, node: Node, normalized: NormalizedLayer, theta: float, synapses: tuple[Synapse, ...]
    ) -> NDArray[np.int32]:
        """The bias, less what the rounding of the weights adds to the drive on average."""
        bias = normalized.bias * theta
        for place, (op, weight, synapse) in enumerate(
            zip(normalized.synapses, normalized.weights, synapses, strict=True)
        ):
            if isinstance(op, Conv2d | Linear) and self._rounding.knows((node.name, place)):
                change = synapse.scaled_weight - weight * theta
                added = self._rounding.mean_change((node.name, place), op, change, self._levels(synapse))
                if bias.size < added.size:
                    added = added.mean(axis=tuple(range(1, added.ndim)), keepdims=True)
                bias = bias - added
        rounded: NDArray[np.int32] = np.rint(bias).clip(-BIAS_MAXIMUM, BIAS_MAXIMUM).astype(np.int32)
        return rounded

    def _input_deviation(
        self, node: Node, normalized: NormalizedLayer, theta: float, synapses: tuple[Synapse, ...]
    ) -> float:
        """How far rounding the weights for the input moves the drive of a step, in thresholds, mean of the channels."""
        worst = 0.0
        for index, (weight, synapse) in enumerate(zip(normalized.weights, synapses, strict=True)):
            place = (node.name, index)
            if synapse.source < 0 and self._rounding.knows(place):
                change = synapse.scaled_weight - weight * theta
                worst = max(worst, float(self._rounding.deviation(place, change, self._levels(synapse)).mean() / theta))
        return worst

    def _levels(self, synapse: Synapse) -> int:
        """The levels that one unit of what a synapse reads stands for."""
        return self._coding.levels_per_unit if synapse.source < 0 else 1

    def _fits(self, weight: FloatArray) -> bool:
        half = self._target.weight_step / 2
        low, high = weight.min(initial=0), weight.max(initial=0)
        return bool(self._target.weight_minimum - half <= low and high <= self._target.weight_maximum + half)


def memoryless_layer(node: Node, source_shape: tuple[int, ...], source: int, scale: FloatArray) -> Layer:
    """A population that fires in the same step whenever a spike arrives.

    Args:
        node: A ``SpikeMax2d`` or ``Relay``.
        source_shape: Shape of what it reads.
        source: Index of that layer.
        scale: What a spike of it stands for, (channels,).
    """
    threshold = Scaled(2, 0)
    if isinstance(node.op, SpikeMax2d):
        kernel, stride, padding = node.op.kernel, node.op.stride, node.op.padding
    else:
        kernel, stride, padding = (1, 1), (1, 1), (0, 0)
    hold = node.op.hold if isinstance(node.op, Relay) else 0
    if len(node.shape) == 3:
        weight = np.full((node.shape[0], 1, *kernel), threshold.value, np.int16)
        synapse = Synapse(source, "conv", weight, stride, padding, groups=node.shape[0], hold=hold)
    else:
        size = node.shape[0]
        entries = Entries(np.arange(size + 1, dtype=np.int32), np.arange(size, dtype=np.int32))
        synapse = Synapse(source, "sparse", np.full(size, threshold.value, np.int16), hold=hold, entries=entries)
    return Layer(
        name=node.name,
        modules=node.modules,
        shape=node.shape,
        synapses=(synapse,),
        bias=np.zeros((node.shape[0], *(1,) * (len(node.shape) - 1)), np.int32),
        threshold=threshold,
        initial_potential=0,
        gate=None,
        scale=scale,
        membrane=Membrane((0, threshold.value * math.prod(kernel))),
        memoryless=True,
    )


def smallest_gate(needed: float) -> Gate:
    """The weakest gate of at least ``needed`` weight units."""
    largest = Scaled(255, 7)
    count = max(1, math.ceil(needed / largest.value))
    return Gate(Scaled.above(max(1.0, needed / count)), count)
