"""Layers in the chip's integers at a chosen scale, and the float layer that computes what these do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from snnc.common.arrays import FloatArray, per_channel
from snnc.common.errors import TargetError
from snnc.compiler.ir import Node, Readout, Relay, Shape, Sparse, SpikeMax2d, SpikingLayer, Weighted
from snnc.compiler.quantization.input_moments import Place
from snnc.compiler.quantization.normalized import (
    NormalizedLayer,
    as_synapse,
    has_netx_form,
    normalized_weight,
    with_weight,
)
from snnc.compiler.quantization.scale import Scale
from snnc.compiler.quantization.weights import WeightRounding
from snnc.program import Entries, Gate, InputCoding, Layer, Membrane, Scaled, Synapse
from snnc.program.bounds import drive_bounds, highest_silenced, is_safe, window
from snnc.program.targets import Target

# The advice of refusals for which fewer steps are the remedy; who can try says which T would do.
FEWER_STEPS = "choose a smaller T"
# Where a threshold, or the range of a readout in a step, is fewer weight units than this, rounding biases counts.
_FINE_BIAS = 512


def memoryless_layer(
    node: Node, source_shape: tuple[int, ...], source: int, scale: FloatArray, target: Target
) -> Layer:
    """Return a population that fires in the same step whenever a spike arrives.

    Args:
        node: A ``SpikeMax2d`` or ``Relay``.
        source_shape: Shape of what it reads.
        source: Index of that layer.
        scale: What a spike of it stands for, (channels,).
        target: The chip.
    """
    threshold = Scaled(target.weight_step, 0)
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


class LayerRounding:
    """Rounds weights, biases and initial potentials of layers whose scale is chosen.

    Args:
        target: The chip.
        timesteps: T.
        coding: How data become the first layer's input.
        rounding: Rounds the weights.
        lead: Steps that a spiking layer integrates before it may fire, 0..T.
    """

    def __init__(
        self, target: Target, timesteps: int, coding: InputCoding, rounding: WeightRounding, lead: int
    ) -> None:
        self._target = target
        self._timesteps = timesteps
        self._coding = coding
        self._rounding = rounding
        self._lead = lead

    def layer(
        self, node: Node, normalized: NormalizedLayer, unit: FloatArray, scale: Scale, sources: list[int]
    ) -> tuple[Layer, bool]:
        """Return the layer at a scale, and whether no input can make its membrane leave the chip's range."""
        threshold = Scaled.below(scale.units, self._target) if normalized.spiking else None
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
                advice=FEWER_STEPS,
            )
        least, most = normalized.measured
        if (theta if threshold else (most - least) * theta) < _FINE_BIAS:
            synapses = self._meeting_bias(node, normalized, theta, synapses)
        bias = np.rint(self._bias(node, normalized, theta, synapses))
        bias = bias.clip(-self._target.bias_maximum, self._target.bias_maximum).astype(np.int32)
        potential = min(round(normalized.start * theta), threshold.value - 1) if threshold else 0
        firing = threshold.value - potential if threshold else math.inf
        low, high = drive_bounds(node.shape, synapses, normalized.sources)
        drive = (int((low + bias).min()), int((high + bias).max()))
        lead = self._lead if threshold else 0
        bounds = window(*drive, theta if threshold else math.inf, firing, self._timesteps, lead)
        gate = None
        if threshold:
            silenced = bounds if scale.proven else scale.window.scaled(theta)
            needed = highest_silenced(silenced, max(0, int(bias.max())), lead) - firing + 1
            gate = Gate.above(needed, self._target)
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

    def _rounded_synapse(self, place: Place, op: Weighted, weight: FloatArray, source: int) -> Synapse:
        exponent = 0
        if place[1] or not has_netx_form(op):
            while exponent < self._target.weight_exponent_maximum and not self._fits(weight / 2**exponent):
                exponent += 1
        return as_synapse(op, self._rounding.rounded(place, weight / 2**exponent), source, exponent)

    def _meeting_bias(
        self, node: Node, normalized: NormalizedLayer, theta: float, synapses: tuple[Synapse, ...]
    ) -> tuple[Synapse, ...]:
        """Return synapses of which the first is rounded with an eye to the bias, which loses up to half a unit."""
        first, op, place = synapses[0], normalized.synapses[0], (node.name, 0)
        if isinstance(op, Sparse) or first.exponent or not self._rounding.knows(place):
            return synapses
        bias = self._bias(node, normalized, theta, synapses)
        if bias.size != len(bias):
            return synapses
        unit = self._levels(first)
        moved = self._rounding.meeting_bias(
            place, op, normalized.weights[0] * theta, first.weight, bias.reshape(-1), unit
        )
        return (replace(first, weight=moved), *synapses[1:])

    def _bias(self, node: Node, normalized: NormalizedLayer, theta: float, synapses: tuple[Synapse, ...]) -> FloatArray:
        """Return the bias, less what the rounding of the weights adds to the drive on average."""
        bias = normalized.bias * theta
        for place, (op, weight, synapse) in enumerate(
            zip(normalized.synapses, normalized.weights, synapses, strict=True)
        ):
            if self._rounding.knows((node.name, place)):
                change = synapse.scaled_weight - weight * theta
                added = self._rounding.mean_change((node.name, place), op, change, self._levels(synapse))
                if bias.size < added.size:
                    added = added.mean(axis=tuple(range(1, added.ndim)), keepdims=True)
                bias = bias - added
        return bias

    def deviation(
        self,
        node: Node,
        normalized: NormalizedLayer,
        theta: float,
        synapses: tuple[Synapse, ...],
        *,
        input_only: bool = False,
    ) -> float:
        """Return how far rounding the weights moves a step's drive, in thresholds, mean of the channels.

        Args:
            node: The layer.
            normalized: Its float weights.
            theta: Weight units of its threshold.
            synapses: Its integers.
            input_only: Look only at synapses that read the input.

        Returns:
            The standard deviation, of the synapse where it is the largest.
        """
        worst = 0.0
        for index, (weight, synapse) in enumerate(zip(normalized.weights, synapses, strict=True)):
            place = (node.name, index)
            if (synapse.source < 0 or not input_only) and self._rounding.knows(place):
                change = synapse.scaled_weight - weight * theta
                worst = max(worst, float(self._rounding.deviation(place, change, self._levels(synapse)).mean() / theta))
        return worst

    def _levels(self, synapse: Synapse) -> int:
        """Return the levels that one unit of what a synapse reads stands for."""
        return self._coding.levels_per_unit if synapse.source < 0 else 1

    def _fits(self, weight: FloatArray) -> bool:
        half = self._target.weight_step / 2
        low, high = weight.min(initial=0), weight.max(initial=0)
        return bool(self._target.weight_minimum - half <= low and high <= self._target.weight_maximum + half)


def dequantized(
    op: SpikingLayer | Readout, layer: Layer, thresholds: Sequence[FloatArray], shapes: Sequence[Shape]
) -> SpikingLayer | Readout:
    """Return the layer with the weights, biases and initial potentials that its integers stand for.

    Args:
        op: The layer before it was quantised.
        layer: Its integers.
        thresholds: For each synapse what a spike of each channel of its source stands for, (channels,).
        shapes: For each synapse the shape of its source.
    """
    unit = op.threshold if isinstance(op, SpikingLayer) and op.threshold is not None else np.ones(layer.shape[0])
    theta = float(layer.threshold.value) if layer.threshold else 1 / float(layer.scale[0])
    synapses: list[Weighted] = []
    for synapse, integers, threshold, shape in zip(op.synapses, layer.synapses, thresholds, shapes, strict=True):
        ones = with_weight(synapse, np.ones(integers.weight.shape))
        weight = integers.scaled_weight / theta / normalized_weight(ones, unit, threshold, shape)
        synapses.append(replace(with_weight(synapse, weight), bias=np.zeros_like(synapse.bias)))
    bias = layer.bias / theta * per_channel(unit, layer.bias.ndim)
    if isinstance(synapses[0], Sparse):
        bias = np.broadcast_to(bias, layer.shape)
    elif bias.size == len(bias):
        bias = bias.reshape(-1)
    synapses[0] = replace(synapses[0], bias=bias)
    op = replace(op, synapses=tuple(synapses))
    if isinstance(op, SpikingLayer):
        # Half a unit more, which no integer sees: floating point then cannot miss a potential that meets the threshold.
        potential = unit * ((layer.initial_potential + 0.5) / theta)
        return replace(op, initial_potential=potential)
    return op
