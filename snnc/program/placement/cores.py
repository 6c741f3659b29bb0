"""Layers onto cores."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from snnc.common.arrays import IntegerArray
from snnc.common.errors import TargetError
from snnc.program.network import CompiledNetwork
from snnc.program.placement.cut import AXES, Cut, image_shape, reached
from snnc.program.placement.demand import RULES, Demand, Rule, layer_demand
from snnc.program.targets import Target


@dataclass(frozen=True, eq=False)
class PlacedLayer:
    """A layer and its cores.

    Attributes:
        index: The layer's place in the program.
        cut: How it is cut; each block is a core. One block where the layer does not fit.
        demand: What the blocks ask; where the layer does not fit, what blocks of one neuron ask.
        broken: The rule that even a block of one neuron breaks; None where the layer fits.
    """

    index: int
    cut: Cut
    demand: Demand
    broken: Rule | None

    @property
    def cores(self) -> int:
        """Number of cores."""
        return self.cut.parts


@dataclass(frozen=True, eq=False)
class Placement:
    """A program on cores.

    Attributes:
        program: The program.
        target: The chip.
        layers: Its layers, in order.
        control_neurons: Neurons that the construction adds to the layers' (``CompiledNetwork.control_neurons``).
        control_cores: Cores for them.
    """

    program: CompiledNetwork
    target: Target
    layers: tuple[PlacedLayer, ...]
    control_neurons: int
    control_cores: int

    @property
    def cores(self) -> int:
        """Number of cores, no two layers sharing one."""
        return sum(layer.cores for layer in self.layers) + self.control_cores

    @property
    def chips(self) -> int:
        """The least number of chips that have so many cores."""
        return math.ceil(self.cores / self.target.cores_per_chip)

    def errors(self) -> tuple[TargetError, ...]:
        """Return an error for each layer that does not fit, with layer, rule, what is used and what is available."""
        return tuple(
            TargetError(
                f"does not fit a core of {self.target.name}: {placed.broken.name}",
                where=self.program.layers[placed.index].where,
                expected=f"at most {placed.broken.available(self.target):,}",
                found=f"{int(placed.broken.used(placed.demand).max()):,} for a single neuron",
                advice=placed.broken.advice,
            )
            for placed in self.layers
            if placed.broken
        )


def place(program: CompiledNetwork, target: Target) -> Placement:
    """Cut each layer into blocks that a core holds.

    The rule: layers from the last to the first, since what a layer sends depends on how its readers are cut. Each
    begins as one block. As long as a core's limit is broken, the layer is cut into shorter ranges along one axis: the
    one that lowers the largest share of a limit most; of equals rows before columns before channels. Blocks of a layer
    are of nearly equal size; no two layers share a core.

    Args:
        program: The program.
        target: The chip.

    Returns:
        The placement. A layer for which no cut is enough is in it with the rule that it breaks
        (:meth:`Placement.errors`).
    """
    destinations: dict[int, IntegerArray] = {
        index: np.zeros(image_shape(layer.shape), np.int64) for index, layer in enumerate(program.layers)
    }
    placed: list[PlacedLayer] = []
    for index in reversed(range(len(program.layers))):
        found = _cut(program, index, destinations.pop(index), target)
        placed.append(found)
        layer = program.layers[index]
        for synapse in layer.synapses:
            if synapse.source >= 0:
                shape = program.source_shape(synapse.source)
                destinations[synapse.source] += reached(synapse, shape, layer.shape, found.cut).destinations
    placed.reverse()
    neurons, cores = _control(program, placed, target)
    return Placement(program, target, tuple(placed), neurons, cores)


def _cut(program: CompiledNetwork, index: int, destinations: IntegerArray, target: Target) -> PlacedLayer:
    shape = program.layers[index].shape
    finest = layer_demand(program, index, Cut(*image_shape(shape)), destinations, target)
    if (broken := _worst(finest, target)) is not None:
        # One block, so that layers before it are not blamed for what they would send to thousands.
        return PlacedLayer(index, Cut(), finest, broken)
    cut = Cut()
    demand = layer_demand(program, index, cut, destinations, target)
    while _worst(demand, target) is not None:
        finer = [each for axis in AXES if (each := cut.finer(axis, shape))]
        tried = [(each, layer_demand(program, index, each, destinations, target)) for each in finer]
        cut, demand = min(tried, key=lambda pair: _load(pair[1], target))
    return PlacedLayer(index, cut, demand, None)


def _load(demand: Demand, target: Target) -> float:
    return max(rule.load(demand, target) for rule in RULES)


def _worst(demand: Demand, target: Target) -> Rule | None:
    """Return the rule that is broken most; None where none is."""
    rule = max(RULES, key=lambda each: each.load(demand, target))
    return rule if rule.load(demand, target) > 1 else None


def _control(program: CompiledNetwork, placed: list[PlacedLayer], target: Target) -> tuple[int, int]:
    """Return the number of neurons beside the layers', and of cores for them."""
    neurons = program.control_neurons
    if not neurons:
        return 0, 0
    axons = sum(each.cores * program.control_synapses(each.index) for each in placed)
    limits = ((neurons, target.neurons_per_core), (axons, target.output_axons_per_core))
    return neurons, max(math.ceil(used / limit) for used, limit in limits if limit)
