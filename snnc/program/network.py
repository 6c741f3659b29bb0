"""The contract: what every compiled network offers, whatever its neurons are.

Whoever runs, stores, places or describes a network knows it as a :class:`CompiledNetwork`. What depends on the neurons
is a member of it; what rooms above have for each kind of neuron (its simulator, its network on Lava, its tables) they
register with :func:`functools.singledispatch`, in the place where it is looked up.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from snnc.common.errors import OptionError
from snnc.program.coding import InputCoding
from snnc.program.layer import NeuronLayer, Synapse
from snnc.program.provenance import AnnLayer, Provenance

if TYPE_CHECKING:
    from typing_extensions import Self

# The module whose ``save`` writes a network. It reads and writes networks, so that it lies above them: it is named and
# not imported, and found by whoever saves, even a process that unpickled a network and imported nothing else.
_FILE_FORMAT = "snnc.program.net"

NetworkOfKind = TypeVar("NetworkOfKind", bound="CompiledNetwork")


@dataclass(frozen=True)
class Wording:
    """What users are told about a kind of neuron.

    Attributes:
        neurons: What they are called, in the plural.
        sent: What they send, in the plural.
        rate: What a rate is a share of.
        control: The neurons that the construction on the chip adds to those of the layers, in the plural.
        remedy: How to compile again where a membrane potential overflowed.
    """

    neurons: str
    sent: str
    rate: str
    control: str
    remedy: str


class CompiledNetwork(ABC):
    """A compiled network in the chip's integers.

    Each kind has a ``neuron``, the name that the option ``--neuron`` has for it, and its ``wording``. ``lead`` is the
    number of steps that a layer may have to integrate its input before it may send: 0 but for neurons that can wait.

    Attributes:
        target: Name of the chip, e.g. ``loihi2``.
        timesteps: T, the steps in which a layer gets the input of a sample.
        coding: How data become the first layer's input.
        layers: In topological order; the last one is the readout.
        ann: The ANN's linear layers.
        provenance: Where the network came from.
    """

    neuron: ClassVar[str]
    wording: ClassVar[Wording]

    target: str
    timesteps: int
    coding: InputCoding
    layers: tuple[NeuronLayer, ...]
    ann: tuple[AnnLayer, ...]
    provenance: Provenance
    lead: int = 0

    @property
    def readout(self) -> NeuronLayer:
        """The layer whose state holds the result."""
        return self.layers[-1]

    @property
    def spiking_layers(self) -> tuple[NeuronLayer, ...]:
        """All layers that send something."""
        return self.layers[:-1]

    @property
    @abstractmethod
    def interval(self) -> int:
        """Steps from one sample to the next in a stream of samples."""

    @property
    @abstractmethod
    def latency(self) -> int:
        """Steps from a sample's first input until its result."""

    @property
    @abstractmethod
    def sending_steps(self) -> int:
        """The largest number of steps of a sample in which one neuron can send something."""

    @property
    @abstractmethod
    def membrane_limit(self) -> int:
        """First magnitude that a layer's state (``membrane``) must not reach, in the units of the layers."""

    @property
    @abstractmethod
    def control_neurons(self) -> int:
        """Neurons that the construction on the chip adds to those of the layers."""

    @abstractmethod
    def control_synapses(self, index: int) -> int:
        """Return how many synapses each neuron of a layer has from the control neurons.

        Args:
            index: The layer's place in the network.
        """

    @abstractmethod
    def shortened(self, timesteps: int) -> CompiledNetwork:
        """Return the network as it is after fewer steps; itself where T is given by its layers.

        Args:
            timesteps: T, at least 1.
        """

    @abstractmethod
    def with_provenance(self, provenance: Provenance) -> Self:
        """Return the network with another provenance."""

    @abstractmethod
    def logits(self, readout: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the ANN's logits as the network approximates them.

        Args:
            readout: State of the readout after T steps, (samples, *shape).

        Returns:
            Same shape, in the ANN's units.
        """

    def lead_of(self, index: int) -> int:
        """Return the steps that a layer integrates before it may send.

        Args:
            index: The layer's place in the network.
        """
        return 0

    @cached_property
    def depths(self) -> tuple[int, ...]:
        """For each layer the steps that input takes to it, less one: the longest path from the input, counted from 0.

        A layer of depth d receives step t of a sample d steps after one of depth 0 does, over whatever path. A layer
        with lead k makes what follows it k steps deeper than one without.
        """
        depths: list[int] = []
        for layer in self.layers:
            depths.append(max(self._sends_at(each.source, depths) + 1 + each.hold for each in layer.synapses))
        return tuple(depths)

    def delay(self, index: int, synapse: Synapse) -> int:
        """Return how many steps a synapse holds back what it carries, so that it arrives with that of the longest path.

        Args:
            index: The place of the layer that it feeds.
            synapse: One of the layer's synapses.
        """
        return self.depths[index] - 1 - self._sends_at(synapse.source, self.depths)

    def _sends_at(self, source: int, depths: Sequence[int]) -> int:
        """Return the depth of a layer whose input arrives as a source first sends."""
        return -1 if source < 0 else depths[source] + self.lead_of(source)

    def source_shape(self, source: int) -> tuple[int, ...]:
        """Return the shape of what a synapse reads.

        Args:
            source: Index of a layer, or -1 for the input.
        """
        return self.coding.shape if source < 0 else self.layers[source].shape

    def save(self, path: str | Path) -> None:
        """Write the .net file; see :func:`snnc.program.net.save`."""
        importlib.import_module(_FILE_FORMAT).save(self, path)


def only(kind: type[NetworkOfKind], network: CompiledNetwork, task: str, *, where: str, advice: str) -> NetworkOfKind:
    """Return a network, for what is there for one kind of neuron alone.

    Args:
        kind: The class of networks of that kind.
        network: Any network.
        task: What it is for.
        where: What users know the network by: its file, or what it is given as.
        advice: What to do with another.

    Raises:
        OptionError: Its neurons are of another kind.
    """
    if not isinstance(network, kind):
        raise OptionError(
            f"{task} is for networks of {kind.wording.neurons}",
            where=where,
            found=f"one of {network.wording.neurons}",
            advice=advice,
        )
    return network
