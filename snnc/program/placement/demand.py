"""What the blocks of a cut layer ask of their cores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from snnc.common.arrays import IntegerArray
from snnc.program.layer import Synapse
from snnc.program.network import CompiledNetwork
from snnc.program.placement.cut import Cut, reached
from snnc.program.targets import Target


@dataclass(frozen=True)
class Rule:
    """A limit of a core.

    Attributes:
        name: What is limited.
        used: What each block uses.
        available: What a core has; None where the maker has not published it.
        advice: What to change where one neuron alone takes more.
    """

    name: str
    used: Callable[[Demand], IntegerArray]
    available: Callable[[Target], int | None]
    advice: str

    def load(self, demand: Demand, target: Target) -> float:
        """Return the largest share of what is available that a block uses; 0 where nothing is published."""
        limit = self.available(target)
        return 0.0 if limit is None else float(self.used(demand).max()) / limit


RULES = (
    Rule(
        "neurons",
        lambda demand: demand.neurons,
        lambda target: target.neurons_per_core,
        "choose another target",
    ),
    Rule(
        "input axons",
        lambda demand: demand.input_axons,
        lambda target: target.input_axons_per_core,
        "let each neuron read fewer others: pool before this layer, or make the one before it narrower",
    ),
    Rule(
        "output axons",
        lambda demand: demand.output_axons,
        lambda target: target.output_axons_per_core,
        "let fewer layers read this one, or make those that read it smaller",
    ),
    Rule(
        "synaptic memory in bytes",
        lambda demand: demand.memory,
        lambda target: target.memory_per_core,
        "make this layer's kernels or the layer before it smaller",
    ),
)


@dataclass(frozen=True, eq=False)
class Demand:
    """One number for each block, (channels, rows, columns) of the cut.

    Attributes:
        neurons: Neurons.
        input_axons: Lists of synapses that a spike from elsewhere addresses: one for each neuron that the block reads,
            in each of the layer's synapses; one for each of its own neurons, which resets itself by a spike; and those
            of bias and gate.
        output_axons: Pairs of a neuron and a block that its spikes go to, itself for the reset included.
        memory: Bytes of synapses where a kernel is stored once for each core.
        unshared_memory: Bytes of synapses where each pair of connected neurons has its own.
    """

    neurons: IntegerArray
    input_axons: IntegerArray
    output_axons: IntegerArray
    memory: IntegerArray
    unshared_memory: IntegerArray


def layer_demand(program: CompiledNetwork, index: int, cut: Cut, destinations: IntegerArray, target: Target) -> Demand:
    """Return what a layer asks.

    A stored weight takes ``target.weight_bits``, and the bits of a delay where it has one. Where neither a kernel nor a
    full matrix says whose it is, the bits of a neuron's number within its core come on top. What a chip needs beyond
    that, to tell one list from the next, is not published in detail and left out.

    Args:
        program: The program.
        index: The layer.
        cut: How it is cut.
        destinations: How many blocks of other layers each of its neurons sends spikes to, (channels, height, width).
        target: The chip.
    """
    layer = program.layers[index]
    channels, rows, columns = (np.diff(edges) for edges in cut.ranges(layer.shape))
    neurons = channels[:, None, None] * rows[:, None] * columns
    index_bits = (target.neurons_per_core - 1).bit_length()
    axons = np.zeros_like(neurons)
    bits, unshared = np.zeros_like(neurons), np.zeros_like(neurons)
    for synapse in layer.synapses:
        found = reached(synapse, program.source_shape(synapse.source), layer.shape, cut)
        axons = axons + found.sources
        weight = _weight_bits(program, index, synapse, target)
        bits = bits + found.stored * (weight + (index_bits if synapse.kind == "sparse" else 0))
        unshared = unshared + found.pairs * (weight + index_bits)
    extra = program.control_synapses(index)
    resets = int(layer.resets_itself)
    own = neurons * (extra + resets) * (target.weight_bits + index_bits)
    return Demand(
        neurons=neurons,
        input_axons=axons + extra + resets * neurons,
        output_axons=cut.sums(destinations + resets),
        memory=-(-(bits + own) // 8),
        unshared_memory=-(-(unshared + own) // 8),
    )


def _weight_bits(program: CompiledNetwork, index: int, synapse: Synapse, target: Target) -> int:
    delayed = program.delay(index, synapse) > 0
    return target.weight_bits + (target.maximum_delay.bit_length() if delayed else 0)
