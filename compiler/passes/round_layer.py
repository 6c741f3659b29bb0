"""A layer at a chosen scale, in the chip's integers."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.ir import Conv2d, Linear, Node, Weighted
from snnc.compiler.ir.ops import FloatArray
from snnc.compiler.passes.choose_scale import BIAS_MAXIMUM, Scale
from snnc.compiler.passes.input_moments import Place
from snnc.compiler.passes.normalized_layer import NormalizedLayer
from snnc.compiler.passes.synapse_form import as_synapse, has_netx_form
from snnc.compiler.passes.weight_rounding import WeightRounding
from snnc.compiler.program import Gate, InputCoding, Layer, Membrane, Scaled, Synapse
from snnc.compiler.program.membrane_bounds import drive_bounds, highest_silenced, is_safe, window
from snnc.compiler.targets import Target
from snnc.errors import TargetError


class LayerRounding:
    """Rounds weights, biases and initial potentials of layers whose scale is chosen.

    Args:
        target: The chip.
        timesteps: T.
        coding: How data become input.
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
            gate = Gate.above(highest_silenced(silenced, max(0, int(bias.max())), lead) - firing + 1)
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

    def input_deviation(
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
