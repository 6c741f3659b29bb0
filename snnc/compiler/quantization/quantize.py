"""From float layers to the chip's integers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from snnc.common.arrays import AnyIntegerArray, FloatArray, per_channel
from snnc.common.digits import rounded_down
from snnc.common.errors import TargetError
from snnc.compiler.conversion.calibration.calibrator import Calibrator, CorrectionsMade
from snnc.compiler.conversion.calibration.layer_data import LayerData
from snnc.compiler.ir import (
    Graph,
    Input,
    Node,
    Operation,
    QuantizedLayer,
    Readout,
    Relay,
    SpikeMax2d,
    SpikingLayer,
)
from snnc.compiler.ir.passes import Figures, Outcome, Pass, PassResult
from snnc.compiler.ir.spec import CONVERTED, QUANTIZED
from snnc.compiler.quantization.input_moments import SAMPLES_MAXIMUM, measure_readings
from snnc.compiler.quantization.layers import LayerRounding, dequantized, memoryless_layer
from snnc.compiler.quantization.normalized import (
    Idle,
    NormalizedLayer,
    normalized_bias,
    normalized_weight,
    silent,
    without_idle,
)
from snnc.compiler.quantization.scale import PROOF_WORTH, channel_needs, choose_scale
from snnc.compiler.quantization.weights import WeightRounding
from snnc.program import InputCoding, Layer
from snnc.program.provenance import ScaleChoice
from snnc.program.targets import Target
from snnc.program.verdict import Score

# Below this many weight units between two levels, rounding weights and biases blurs them.
UNITS_PER_LEVEL = 2

# The share of a synapse's weights that may round to 0 without a word.
MOST = 0.5

# Thresholds become larger for the sake of finer weights where the squared error of the levels and of the weights then
# is so many times as large at most.
WORTH = 0.7

# Of the room that membranes have beyond the calibration data's range, the share of those that the input alone feeds.
INPUT_SHARE = 0.25


@dataclass(frozen=True)
class _Outcome:
    """A quantised layer.

    Attributes:
        layer: The layer.
        proven: Whether no input can make its membrane leave the chip's range.
        input_deviation: See :meth:`LayerRounding.input_deviation`.
        bits_given: By how many bits its scale is smaller than with the usual margin, so that its range is proven.
        lost: Share of the weights of a synapse that round to 0, of the synapse where it is largest.
        factors: How many times as large each channel's threshold should be, (channels,); None: as large as it is.
    """

    layer: Layer
    proven: bool
    input_deviation: float
    bits_given: float
    lost: float
    factors: FloatArray | None = None


@dataclass(frozen=True)
class CoarseThreshold:
    """A layer whose threshold has too few weight units to tell T levels apart.

    Attributes:
        where: The layer.
        units: Weight units.
    """

    where: str
    units: int


@dataclass(frozen=True)
class QuantizationOutcome(Outcome):
    """What quantising a network left of it.

    Attributes:
        layers: Number of layers.
        proven: Layers whose membranes no input can make leave the chip's range.
        input_deviation: How far rounding the weights for the input moves a step's drive, in thresholds (standard
            deviation, the mean of a layer's channels, the largest of the layers).
        margin: How many times the calibration data's range a membrane holds where its range is not proven.
        coding: How data become the first layer's input.
        timesteps: T.
        state_bits: Bits of the chip's membranes.
        coarse: Layers whose thresholds are too small.
        bits_given: Layers, by where they are, whose scale is smaller than the calibration data call for so that their
            range is proven, and by how many bits.
        lost: Layers, by where they are, with a synapse of which most weights round to 0, and what share of them.
        raised: Layers, by where they are, some of whose channels have larger thresholds than were chosen, so that all
            channels have finer weights, and how many times as large the largest is.
        corrections: What corrections brought; None where nothing was corrected.
    """

    layers: int
    proven: int
    input_deviation: float
    margin: float
    coding: InputCoding
    timesteps: int
    state_bits: int
    coarse: tuple[CoarseThreshold, ...]
    bits_given: Mapping[str, float]
    lost: Mapping[str, float]
    raised: Mapping[str, float]
    corrections: CorrectionsMade | None

    @property
    def figures(self) -> Figures:
        """The figures, with the errors of each correction."""
        found: Figures = {
            "layers": self.layers,
            "layers_proven": self.proven,
            "input_deviation": self.input_deviation,
        }
        errors = self.corrections.errors if self.corrections else {}
        return found | {f"error_{stage}": error for stage, error in errors.items()}

    @property
    def notes(self) -> tuple[str, ...]:
        """What users are told."""
        notes = []
        if self.coarse:
            least = min(self.coarse, key=lambda each: each.units)
            notes.append(
                f"T = {self.timesteps} is more than the {self.state_bits}-bit membranes of {len(self.coarse)} of "
                f"{self.layers} layers tell apart: {least.where} has {least.units} weight units for a threshold"
            )
        if self.lost:
            most = max(self.lost, key=lambda where: self.lost[where])
            notes.append(
                f"most weights round to 0 in {len(self.lost)} of {self.layers} layers, so that only their sums are "
                f"kept; {most} has most, {self.lost[most]:.0%}"
            )
        if self.bits_given:
            most = max(self.bits_given, key=lambda where: self.bits_given[where])
            notes.append(
                f"so that no input can overflow, {len(self.bits_given)} of {self.layers} layers have smaller weights "
                f"than the calibration data call for; {most} gives most, {self.bits_given[most]:.1f} bits"
            )
        if self.raised:
            most = max(self.raised, key=lambda where: self.raised[where])
            notes.append(
                f"so that weights are finer at T = {self.timesteps}, {len(self.raised)} of {self.layers} layers have "
                f"larger thresholds in some channels than were chosen; {most} has them up to "
                f"{self.raised[most]:.1f} times as large"
            )
        return (*notes, *(self.corrections.notes if self.corrections else ()))

    @property
    def recorded(self) -> ScaleChoice:
        """What files keep of it."""
        margin = self.margin if math.isfinite(self.margin) else None
        return ScaleChoice(margin, self.coding.divisor, Score.of("", self.input_deviation).value)


class Quantize(Pass):
    """Chooses each layer's scale and rounds its weights, bias and initial potential.

    1. The layer is normalised to a threshold of 1: ``W' = diag(1/Vth) W diag(Vth of the source)``; thresholds per
       channel vanish in the weights, since a population has one threshold.
    2. theta is the largest ``mantissa * 2**exponent`` for which the weights fit, the bias fits and the membrane stays
       within the state's width over the window and the gate's pulse (:func:`choose_scale`).
    3. ``w = 2 round(W' theta / 2)`` (even numbers), ``b = round(b' theta)``, ``v0 = round(v0' theta)``.
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
        coding: How data become the first layer's input.
        margin: How many times the calibration data's range a membrane must hold where its range is not proven;
            infinity: only proven ranges are used. Of what goes beyond once, layers that the input alone feeds need a
            quarter only.
        least_units: Weight units that a threshold has to keep at a proven scale, if weights and bias leave it as many.
        rounding: Rounds the weights; None: each to the nearest.
        lead: Steps that a spiking layer integrates before it may fire, 0..T.
        constant_input: Values of the input that never vary in the calibration data, in levels; None: nobody looked.
    """

    title = "quantising to the chip's integers"
    requires = (CONVERTED,)
    ensures = (QUANTIZED,)

    def __init__(
        self,
        target: Target,
        timesteps: int,
        coding: InputCoding,
        *,
        margin: float,
        least_units: float = 1.0,
        rounding: WeightRounding | None = None,
        lead: int = 0,
        constant_input: Idle | None = None,
    ) -> None:
        self._lead = lead
        self._constant_input = None if constant_input is None else constant_input.scaled(1 / coding.levels_per_unit)
        self._idle: dict[str, Idle | None] = {}
        self._target = target
        self._timesteps = timesteps
        self._coding = coding
        self._margin = margin
        self._least_units = least_units
        self._rounding = rounding or WeightRounding(target)
        self._calibrator: Calibrator | None = None
        self._rounder = LayerRounding(target, timesteps, coding, self._rounding, lead)

    def run(self, graph: Graph) -> PassResult:
        """Quantise every layer."""
        graph = graph.copy()
        self._idle = {graph.input.name: self._constant_input}
        indices: dict[str, int] = {graph.input.name: -1}
        thresholds: dict[str, FloatArray] = {graph.input.name: self._input_threshold()}
        proven = 0
        input_deviation = 0.0
        coarse = []
        given: dict[str, float] = {}
        lost: dict[str, float] = {}
        raised: dict[str, float] = {}
        for node in graph.of_kind(SpikingLayer, Readout, SpikeMax2d, Relay):
            if isinstance(node.op, SpikeMax2d | Relay):
                (source,) = node.inputs
                self._check_relayed(graph[source])
                thresholds[node.name] = thresholds[source]
                # A maximum of what never fires, or of one window's constants, is looked at no closer.
                self._idle[node.name] = self._idle[source] if isinstance(node.op, Relay) else None
                layer = memoryless_layer(node, graph[source].shape, indices[source], thresholds[source], self._target)
                indices[node.name] = len(indices) - 1
                proven += 1
                graph.replace(node.name, QuantizedLayer(node.op, layer))
                if self._calibrator:
                    self._calibrator.pass_on(node)
                continue
            assert isinstance(node.op, SpikingLayer | Readout)
            data = self._calibrator.layer(node) if self._calibrator else None
            corrected = node if data is None else self._corrected(data)
            made = self._layer(graph, corrected, indices, thresholds)
            if made.factors is not None:
                corrected = replace(corrected, op=_raised(corrected.op, made.factors))
                raised[node.where] = float(made.factors.max())
                made = self._layer(graph, corrected, indices, thresholds, is_raised=True)
            layer = made.layer
            if self._calibrator and data:
                assert isinstance(corrected.op, SpikingLayer | Readout)
                sources = [thresholds[source] for source in node.inputs]
                shapes = [graph[source].shape for source in node.inputs]
                self._calibrator.send(data, dequantized(corrected.op, layer, sources, shapes))
            proven += made.proven
            if made.lost > MOST:
                lost[node.where] = made.lost
            input_deviation = max(input_deviation, made.input_deviation)
            if made.bits_given > math.log2(PROOF_WORTH):
                given[node.where] = made.bits_given
            if layer.threshold and layer.threshold.value < UNITS_PER_LEVEL * self._timesteps:
                coarse.append(CoarseThreshold(node.where, layer.threshold.value))
            indices[node.name] = len(indices) - 1
            self._idle[node.name] = silent(node)
            if isinstance(corrected.op, SpikingLayer):
                assert corrected.op.threshold is not None
                thresholds[node.name] = corrected.op.threshold
            # The activations have done their work; a large network's would fill the memory.
            graph.replace(node.name, QuantizedLayer(replace(node.op, profile=None), layer))
        outcome = QuantizationOutcome(
            layers=len(indices) - 1,
            proven=proven,
            input_deviation=input_deviation,
            margin=self._margin,
            coding=self._coding,
            timesteps=self._timesteps,
            state_bits=self._target.state_bits,
            coarse=tuple(coarse),
            bits_given=given,
            lost=lost,
            raised=raised,
            corrections=self._calibrator.made if self._calibrator else None,
        )
        return PassResult(graph, True, outcome)

    def _corrected(self, data: LayerData) -> Node:
        """Return the layer, corrected; its weights will be rounded for what it now reads."""
        assert self._calibrator
        op = self._calibrator.corrected(data)
        for place, (synapse, source) in enumerate(zip(op.synapses, data.sources, strict=True)):
            rates = source.spike_rates(slice(0, min(SAMPLES_MAXIMUM, data.samples)))
            self._rounding.tell((data.node.name, place), measure_readings(synapse, rates))
        return replace(data.node, op=op)

    def _check_relayed(self, source: Node) -> None:
        """Refuse graded input for a memoryless layer: it fires or not, and cannot pass on numbers."""
        if isinstance(source.op, Input) and self._coding.largest > 1:
            raise TargetError(
                "would have to wait longer than a synapse can hold it back, and a relay passes no numbers on",
                where="input",
                expected=f"at most {self._target.maximum_delay} steps",
                advice="choose a smaller lead, or loihi1, whose input is rate-coded",
            )

    def _input_threshold(self) -> FloatArray:
        """Return the levels that one input spike of each channel stands for."""
        return np.full(self._coding.shape[0], float(self._coding.levels_per_unit))

    def _layer(
        self,
        graph: Graph,
        node: Node,
        indices: Mapping[str, int],
        thresholds: Mapping[str, FloatArray],
        *,
        is_raised: bool = False,
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
        bias = normalized_bias(op.synapses, len(node.shape)) / per_channel(unit, len(node.shape))
        start = 0.0
        if isinstance(op, SpikingLayer) and op.initial_potential is not None:
            fractions = op.initial_potential / unit
            start = float(fractions.mean())
            bias = bias + per_channel(fractions - start, len(node.shape)) / self._timesteps

        for place, (synapse, source) in enumerate(zip(op.synapses, node.inputs, strict=True)):
            weights[place], added = without_idle(synapse, weights[place], self._idle[source], shapes[place])
            bias = bias + added
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
        layer, is_proven = self._rounder.layer(node, normalized, unit, scale, indexed)
        while scale.proven and not is_proven:
            # Rounding moved the range by a little more than the slack that was left for it.
            scale = replace(scale, units=rounded_down(scale.units * 0.98))
            layer, is_proven = self._rounder.layer(node, normalized, unit, scale, indexed)
        theta = layer.threshold.value if layer.threshold else scale.units
        lost = max(
            _lost(weight, synapse.weight) for weight, synapse in zip(normalized.weights, layer.synapses, strict=True)
        )
        factors = None
        if spiking and not is_raised and np.ptp(unit):
            drives = (op.profile.drive_minimum / unit, op.profile.drive_maximum / unit)
            factors = self._factors(node, normalized, layer, (drives[0] * margin, drives[1] * margin), theta)
        deviation = self._rounder.deviation(node, normalized, theta, layer.synapses, input_only=True)
        return _Outcome(
            layer,
            is_proven,
            deviation,
            math.log2(scale.usual / scale.units),
            lost,
            factors,
        )

    def _factors(
        self, node: Node, normalized: NormalizedLayer, layer: Layer, drives: tuple[FloatArray, FloatArray], theta: float
    ) -> FloatArray | None:
        """Return how many times as large thresholds should be, where that brings the layer nearer to the ANN.

        A population has one threshold in the chip's integers, and that channel decides how many weight units it has
        whose weights or membrane need most. A larger Vth makes its needs smaller and its levels coarser: for few steps
        that is a loss, and for many, whose levels are fine and whose weights are not, a gain.

        Args:
            node: The layer.
            normalized: Its float weights.
            layer: Its integers.
            drives: Smallest and largest input of each channel, in thresholds, (channels,).
            theta: Weight units of its threshold.
        """
        unit = self._rounder.deviation(node, normalized, theta, layer.synapses) * theta
        needs = channel_needs(normalized, self._target, self._timesteps, self._lead, *drives)
        if not needs.all():
            # A channel without weights needs nothing; its threshold can be any.
            needs = needs.clip(needs[needs > 0].min(initial=1.0))
        candidates = np.unique(needs)[None]
        factors = np.maximum(1, needs[:, None] / candidates)
        # Squared error of levels, and of rounded weights, in thresholds that were chosen.
        errors = (factors**2).sum(0) * (1 / (12 * self._timesteps**2) + (unit * candidates[0]) ** 2)
        best = int(errors.argmin())
        return factors[:, best] if errors[best] < WORTH * errors[-1] else None

    def _sources(
        self, graph: Graph, node: Node, shapes: list[tuple[int, ...]]
    ) -> tuple[tuple[tuple[int, ...], int], ...]:
        return tuple(
            (shape, self._coding.largest if isinstance(graph[source].op, Input) else 1)
            for shape, source in zip(shapes, node.inputs, strict=True)
        )


def _lost(weight: FloatArray, rounded: AnyIntegerArray) -> float:
    """Return the share of weights that are not 0 and round to it."""
    weighs = weight != 0
    return float((rounded[weighs] == 0).mean()) if weighs.any() else 0.0


def _raised(op: Operation, factors: FloatArray) -> SpikingLayer:
    """Return a layer with larger thresholds; neurons begin at the same share of them."""
    assert isinstance(op, SpikingLayer) and op.threshold is not None
    potential = None if op.initial_potential is None else op.initial_potential * factors
    return replace(op, threshold=op.threshold * factors, initial_potential=potential)


class CorrectAndQuantize(Quantize):
    """Corrects each layer before it quantises it, on the spikes of those that already are.

    Args:
        target: As for :class:`Quantize`, like the other arguments.
        timesteps: T.
        coding: How data become the first layer's input.
        calibrator: Corrects the layers.
        margin: As for :class:`Quantize`.
        least_units: As for :class:`Quantize`.
        rounding: As for :class:`Quantize`.
        lead: As for :class:`Quantize`.
        constant_input: As for :class:`Quantize`.
    """

    title = "correcting layers and quantising them"

    def __init__(
        self,
        target: Target,
        timesteps: int,
        coding: InputCoding,
        calibrator: Calibrator,
        *,
        margin: float,
        least_units: float = 1.0,
        rounding: WeightRounding | None = None,
        lead: int = 0,
        constant_input: Idle | None = None,
    ) -> None:
        super().__init__(
            target,
            timesteps,
            coding,
            margin=margin,
            least_units=least_units,
            rounding=rounding,
            lead=lead,
            constant_input=constant_input,
        )
        self._calibrator = calibrator
