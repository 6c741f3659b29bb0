"""A compiled network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snnc.program.coding import InputCoding
from snnc.program.layer import Layer, Synapse
from snnc.program.saving import write


@dataclass(frozen=True)
class AnnLayer:
    """A Conv2d or Linear of the ANN, before anything was folded: what the energy comparison counts.

    Attributes:
        module: Qualified name.
        macs: Multiply-accumulate operations for one sample.
    """

    module: str
    macs: int


@dataclass(frozen=True)
class Provenance:
    """Where a compiled network came from; holds no time and no path, so that equal input gives equal files.

    Attributes:
        snnc: Version of the compiler.
        model: SHA-256 of the traced network with its parameters.
        calibration: SHA-256 of the calibration data; empty where there were none.
        calibration_samples: Their number.
        options: The options that shaped the result, by name.
        notes: What the compiler did that the user should know, one sentence each.
    """

    snnc: str
    model: str
    calibration: str
    calibration_samples: int
    options: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Program:
    """A spiking network in the chip's integers.

    Attributes:
        target: Name of the chip, e.g. ``loihi2``.
        timesteps: T, 1..1024.
        coding: How data become input.
        layers: In topological order; the last one is the readout.
        ann: The ANN's linear layers.
        provenance: Where it came from.
        lead: k, 0..T: steps that a layer integrates its input before it may fire (:class:`Layer`).
    """

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
        """Steps that a layer integrates before it may fire: memoryless layers and the readout never wait."""
        layer = self.layers[index]
        return self.lead if layer.threshold is not None and not layer.memoryless else 0

    @cached_property
    def depths(self) -> tuple[int, ...]:
        """For each layer the steps that input takes to it, less one: the longest path from the input, counted from 0.

        A layer of depth d receives step t of a sample d steps after one of depth 0 does, over whatever path. A layer
        with lead k makes what lies behind it k steps deeper than one without.
        """
        depths: list[int] = []
        for layer in self.layers:
            depths.append(max(self._sends_at(each.source, depths) + 1 + each.hold for each in layer.synapses))
        return tuple(depths)

    def delay(self, index: int, synapse: Synapse) -> int:
        """Steps that a synapse into a layer holds spikes back, so that they arrive with those of the longest path.

        Args:
            index: The layer's place in the program.
            synapse: One of its synapses.
        """
        return self.depths[index] - 1 - self._sends_at(synapse.source, self.depths)

    def _sends_at(self, source: int, depths: Sequence[int]) -> int:
        """The depth of a layer whose input arrives as a source sends its first spikes."""
        return -1 if source < 0 else depths[source] + self.lead_of(source)

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

    def source_shape(self, source: int) -> tuple[int, ...]:
        """Shape of what a synapse reads: a layer's, or the input's for -1."""
        return self.coding.shape if source < 0 else self.layers[source].shape

    def sources(self, index: int) -> tuple[tuple[tuple[int, ...], int], ...]:
        """For each synapse of a layer the shape of what it reads and the largest value that one neuron of it sends."""
        return tuple(
            (self.source_shape(synapse.source), self.coding.largest if synapse.source < 0 else 1)
            for synapse in self.layers[index].synapses
        )

    def logits(self, readout: NDArray[np.int64]) -> NDArray[np.float64]:
        """The ANN's logits as the spiking network approximates them.

        Args:
            readout: Membrane potential of the readout after T steps, (samples, *shape), weight units.

        Returns:
            Same shape, in the ANN's units.
        """
        scale = self.readout.scale.reshape((-1,) + (1,) * (len(self.readout.shape) - 1))
        return readout * scale / self.timesteps

    def save(self, path: str | Path) -> None:
        """Writes the .net file; see :func:`snnc.program.net.save`."""
        write(self, path)
