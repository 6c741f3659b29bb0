"""A compiled network of integrate-and-fire neurons."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from snnc.common.arrays import per_channel
from snnc.program.coding import InputCoding
from snnc.program.layer import Layer
from snnc.program.network import CompiledNetwork, Wording
from snnc.program.provenance import AnnLayer, Provenance
from snnc.program.targets import INTEGRATE_AND_FIRE, get_target

if TYPE_CHECKING:
    from typing_extensions import Self

# Weights of a bias: multiples of the chip's bias step and what is left.
BIAS_SYNAPSES = 2


@dataclass(frozen=True, eq=False)
class Program(CompiledNetwork):
    """A spiking network in the chip's integers.

    Attributes:
        target: Name of the chip, e.g. ``loihi2``.
        timesteps: T, 1..1024.
        coding: How data become the first layer's input.
        layers: In topological order; the last one is the readout.
        ann: The ANN's linear layers.
        provenance: Where it came from.
        lead: k, 0..T: steps that a layer integrates its input before it may fire (:class:`Layer`).
    """

    neuron: ClassVar[str] = INTEGRATE_AND_FIRE
    wording: ClassVar[Wording] = Wording(
        neurons="integrate-and-fire neurons",
        sent="spikes",
        rate="neurons and steps with a spike",
        control="clock and bias neurons",
        remedy="data like these or a smaller T, or with --strict, which proves that it cannot happen",
    )

    target: str
    timesteps: int
    coding: InputCoding
    layers: tuple[Layer, ...]
    ann: tuple[AnnLayer, ...]
    provenance: Provenance
    lead: int = 0

    @property
    def readout(self) -> Layer:
        """The layer whose membrane potential holds the result."""
        return self.layers[-1]

    @property
    def spiking_layers(self) -> tuple[Layer, ...]:
        """All layers that fire."""
        return self.layers[:-1]

    @property
    def interval(self) -> int:
        """Steps that a sample takes in a stream of samples, the last one blank."""
        return self.timesteps + self.lead + 1

    @property
    def latency(self) -> int:
        """Steps from a sample's first input until its result: the length of the pipeline, and T."""
        return self.depths[-1] + 1 + self.timesteps

    def lead_of(self, index: int) -> int:
        """Return the steps that a layer integrates before it may fire: memoryless layers and the readout never wait."""
        layer = self.layers[index]
        return self.lead if layer.threshold is not None and not layer.memoryless else 0

    @property
    def sending_steps(self) -> int:
        """The largest number of steps of a sample in which one neuron can send a spike: T."""
        return self.timesteps

    @property
    def membrane_limit(self) -> int:
        """First magnitude that a membrane must not reach, in weight units: the chip's."""
        return get_target(self.target).membrane_limit

    @property
    def pulses(self) -> int:
        """Pulses of a gate for each sample: with lead it closes twice and opens once."""
        return 3 if self.lead else 1

    @property
    def control_neurons(self) -> int:
        """Clock neurons, which silence the layers of a depth between samples, and neurons that drive its biases."""
        gates: dict[int, int] = {}
        for layer, depth in zip(self.layers, self.depths, strict=True):
            gates[depth] = max(gates.get(depth, 0), layer.gate.count if layer.gate else 0)
        with_bias = {depth for layer, depth in zip(self.layers, self.depths, strict=True) if layer.bias.any()}
        # With lead a bias is switched on and off, too.
        return (sum(gates.values()) + len(with_bias)) * self.pulses

    def control_synapses(self, index: int) -> int:
        """Return how many synapses each neuron of a layer has from clock and bias neurons.

        Args:
            index: The layer's place in the program.
        """
        layer = self.layers[index]
        gate = layer.gate.count * self.pulses if layer.gate else 0
        return gate + (BIAS_SYNAPSES if layer.bias.any() else 0)

    def shortened(self, timesteps: int) -> Program:
        """Return the program with another T.

        Args:
            timesteps: T, 1..1024.
        """
        return replace(self, timesteps=timesteps)

    def with_provenance(self, provenance: Provenance) -> Self:
        """Return the program with another provenance."""
        return replace(self, provenance=provenance)

    @cached_property
    def chain(self) -> tuple[int, ...]:
        """The layers that netx can load, which knows chains only: the longest path, as far as netx has its synapses.

        The path is that of the layers' first synapses, from the readout back to the input; it ends before the first
        of them that netx cannot load.
        """
        path = [len(self.layers) - 1]
        while (source := self.layers[path[-1]].synapses[0].source) >= 0:
            path.append(source)
        path.reverse()
        return tuple(takewhile(lambda index: self.layers[index].synapses[0].has_netx_form, path))

    def sources(self, index: int) -> tuple[tuple[tuple[int, ...], int], ...]:
        """Return for each synapse of a layer the shape of what it reads and the largest value that it sends."""
        return tuple(
            (self.source_shape(synapse.source), self.coding.largest if synapse.source < 0 else 1)
            for synapse in self.layers[index].synapses
        )

    def logits(self, readout: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the ANN's logits as the spiking network approximates them.

        Args:
            readout: Membrane potential of the readout after T steps, (samples, *shape), weight units.

        Returns:
            Same shape, in the ANN's units.
        """
        scale = per_channel(self.readout.scale, len(self.readout.shape))
        return readout * scale / self.timesteps
