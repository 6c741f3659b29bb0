"""Weights rounded as the compiler rounds them, with a gradient that passes straight through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from snnc.common.errors import UnsupportedError
from snnc.compiler.quantization.scale import largest_threshold
from snnc.models.spiking import INPUT, Concatenation, IntegrateAndFire, SpikingNetwork, Sum
from snnc.program import Scaled
from snnc.program.targets import Target

__all__ = ["WeightQuantizer"]

# Of float32 weights, which are off by 6e-8 of themselves.
WITHIN = 2e-6

_Weighted = nn.Conv2d | nn.ConvTranspose2d | nn.Linear
_Normalization = nn.modules.batchnorm._BatchNorm


@dataclass(frozen=True, eq=False)
class _Synapse:
    """A part with weights, between what it reads and the population (or the readout) that it feeds.

    Attributes:
        key: Name of the part.
        part: The part.
        norms: Normalisations after it, in order.
        sources: What it reads: populations, one after the other in its channels; none: the network's input.
        depth: Number of populations on the longest path from the input to what it reads.
    """

    key: str
    part: _Weighted
    norms: tuple[_Normalization, ...]
    sources: tuple[IntegrateAndFire, ...]
    depth: int


class WeightQuantizer:
    """Rounds the weights of a network to what its integers can say, as ``Quantize`` does.

    In units of the thresholds, ``W' = diag(1/Vth) W diag(Vth of the source)``, a layer gets the largest
    ``theta = mantissa * 2**exponent`` for which its first synapse fits, and the weights are
    ``2 round(W' theta / 2) / theta``; further synapses have an exponent of their own. Normalisation counts with its
    running statistics. Each weight goes to the nearest; the compiler then finds weights that lie on its grid already,
    unless a bias, the membrane or the spreading of the input makes it choose another scale. Biases, potentials and
    shortcuts without weights are not rounded here.

    Args:
        network: The network.
        target: The chip.
        input_unit: What one level of the input is to the network, for each channel or all: (channels,) or (1,).

    Raises:
        UnsupportedError: A part reads a sum that is no population's, so that its weights become several synapses.
    """

    def __init__(self, network: SpikingNetwork, target: Target, input_unit: Tensor) -> None:
        self._target = target
        self._input_unit = input_unit
        self._layers = _layers(network)

    def rounded(self) -> dict[str, Tensor]:
        """Return the rounded weights by their names in the state_dict, with gradients to the network's own."""
        found = {}
        for population, synapses in self._layers:
            for synapse, step in zip(synapses, self._steps(population, synapses), strict=True):
                weight = synapse.part.weight
                rounded = _StraightThrough.apply(weight, step, self._target)  # type: ignore[no-untyped-call]
                found[f"{synapse.key}.weight"] = rounded
        return found

    def write(self) -> None:
        """Round the network's own weights, in place."""
        with torch.no_grad():
            for population, synapses in self._layers:
                for synapse, step in zip(synapses, self._steps(population, synapses), strict=True):
                    weight = synapse.part.weight
                    weight.copy_(_rounded(weight, step, self._target))

    def thresholds(self) -> list[float]:
        """Return the weight units for each threshold, layer by layer; of the readout those of a logit."""
        with torch.no_grad():
            return [self._theta(population, synapses) for population, synapses in self._layers]

    def _steps(self, population: IntegrateAndFire | None, synapses: list[_Synapse]) -> list[Tensor]:
        """Return for each synapse the distance of its weights' levels, broadcasting to them."""
        with torch.no_grad():
            theta = self._theta(population, synapses)
            steps = []
            for place, synapse in enumerate(synapses):
                factor = self._factor(population, synapse)
                largest = float((synapse.part.weight * factor).abs().max()) * theta
                exponent = 0
                half = self._target.weight_step / 2
                while place and largest / 2**exponent > self._target.weight_maximum + half:
                    exponent += 1
                steps.append(self._target.weight_step * 2**exponent / (theta * factor))
        return steps

    def _theta(self, population: IntegrateAndFire | None, synapses: list[_Synapse]) -> float:
        first = synapses[0]
        weight = first.part.weight * self._factor(population, first)
        limits = [float(largest_threshold(self._target))] if population is not None else []
        for bound, extreme in (
            (self._target.weight_maximum, float(weight.max())),
            (self._target.weight_minimum, float(weight.min())),
        ):
            if bound * extreme > 0:
                limits.append(bound / extreme)
        if not limits:
            return 1.0
        units = min(limits)
        return float(Scaled.below(units, self._target).value) if population is not None else units

    def _factor(self, population: IntegrateAndFire | None, synapse: _Synapse) -> Tensor:
        """Return what makes a weight one of W', broadcasting to the weights of a part."""
        part = synapse.part
        rows = _gain(synapse)
        if population is not None:
            rows = rows / population.threshold
        columns = torch.cat([each.threshold for each in synapse.sources]) if synapse.sources else self._input_unit
        columns = columns.to(rows)
        if isinstance(part, nn.Linear):
            if len(columns) > 1:
                columns = columns.repeat_interleave(part.in_features // len(columns))
            return rows[:, None] * columns
        inner = part.weight[0, 0].ndim * (1,)
        if isinstance(part, nn.ConvTranspose2d):
            grouped = rows.reshape(part.groups, 1, -1).expand(-1, part.in_channels // part.groups, -1)
            return grouped.reshape(part.in_channels, -1, *inner) * columns.reshape(-1, 1, *inner)
        if len(columns) == 1:
            return rows.reshape(-1, 1, *inner) * columns
        per_group = columns.reshape(part.groups, 1, -1).expand(-1, part.out_channels // part.groups, -1)
        return rows.reshape(-1, 1, *inner) * per_group.reshape(part.out_channels, -1, *inner)


class _StraightThrough(torch.autograd.Function):
    """Rounds; the gradient passes as it is (Bengio, Leonard, Courville 2013)."""

    @staticmethod
    def forward(context: Any, weight: Tensor, step: Tensor, target: Target) -> Tensor:
        """Return the rounded weights."""
        return _rounded(weight, step, target)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient as it comes."""
        return gradients[0], None, None


def _rounded(weight: Tensor, step: Tensor, target: Target) -> Tensor:
    """Return the nearest multiples of a step.

    The largest weights go to the end of the range, and all are a little smaller than on the grid: whoever looks for the
    largest scale with which the result fits then finds the one that it was made with.
    """
    levels = weight / step
    highest, lowest = target.weight_maximum / target.weight_step, target.weight_minimum / target.weight_step
    rounded = torch.round(levels)
    rounded = torch.where(levels > highest - 1, torch.full_like(levels, highest), rounded)
    rounded = torch.where(levels < lowest + 1, torch.full_like(levels, lowest), rounded)
    return rounded * (step * (1 - WITHIN))


def _scale(norm: _Normalization) -> Tensor:
    assert norm.running_var is not None
    return norm.weight.detach() / torch.sqrt(norm.running_var + norm.eps)


def _gain(synapse: _Synapse) -> Tensor:
    """Return what the normalisations after a part multiply its channels by; never 0."""
    part = synapse.part
    gain = torch.ones(
        part.out_features if isinstance(part, nn.Linear) else part.out_channels, device=part.weight.device
    )
    for norm in synapse.norms:
        gain = gain * _scale(norm)
    return torch.where(gain == 0, torch.full_like(gain, 1e-12), gain)


def _layers(network: SpikingNetwork) -> list[tuple[IntegrateAndFire | None, list[_Synapse]]]:
    """Return each population, and last the readout, with the synapses that feed it, in the compiler's order."""
    reads = dict(network.plan)
    parts: dict[str, nn.Module] = dict(network.named_children())
    depths: dict[str, int] = {INPUT: -1}
    for key, sources in network.plan:
        depths[key] = max(depths[each] for each in sources) + isinstance(parts[key], IntegrateAndFire)

    def feeding(key: str, norms: tuple[_Normalization, ...]) -> list[_Synapse]:
        """Return the synapses that follow a value, up to the populations."""
        part = parts.get(key)
        if part is None or isinstance(part, IntegrateAndFire):
            return []
        if isinstance(part, _Normalization):
            return feeding(reads[key][0], (part, *norms))
        if isinstance(part, _Weighted):
            if not part.weight.requires_grad:
                return []
            return [_Synapse(key, part, norms, _sources(key, reads, parts), depths[reads[key][0]])]
        return [each for source in reads[key] for each in feeding(source, norms)]

    layers: list[tuple[IntegrateAndFire | None, list[_Synapse]]] = []
    last = network.plan[-1][0]
    for key, sources in network.plan:
        part = parts[key]
        ends = isinstance(part, IntegrateAndFire)
        if not ends and key != last:
            continue
        synapses = feeding(sources[0] if ends else key, ())
        # As the compiler sorts them: the deepest source first, then the largest.
        synapses.sort(key=lambda each: (-each.depth, -each.part.weight.numel()))
        if synapses:
            layers.append((part if isinstance(part, IntegrateAndFire) else None, synapses))
    return layers


def _sources(key: str, reads: dict[str, list[str]], parts: dict[str, nn.Module]) -> tuple[IntegrateAndFire, ...]:
    """Return the populations whose spikes a part reads, through what keeps channels apart."""
    found: list[IntegrateAndFire] = []
    for source in reads[key]:
        part = parts.get(source)
        if part is None:
            continue
        if isinstance(part, IntegrateAndFire):
            found.append(part)
        elif isinstance(part, nn.AvgPool2d | nn.MaxPool2d | nn.Flatten | Concatenation):
            found.extend(_sources(source, reads, parts))
        else:
            kind = "a sum" if isinstance(part, Sum) else type(part).__name__
            raise UnsupportedError(
                f"{kind} without an activation after it, whose reader cannot be rounded in training",
                where=key.replace("/", "."),
                expected="layers that read activations, perhaps pooled or concatenated",
                advice="leave --quantize out",
            )
    return tuple(found)
