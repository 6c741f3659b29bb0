"""One layer of a compiled network, in the chip's integers.

All membrane quantities are in weight units: the membrane u of Lava's LIF holds 64 times as much (its synaptic input is
shifted left by 6 bits).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from snnc.common.arrays import AnyIntegerArray
from snnc.program.connections import convolution_matrix
from snnc.program.targets.target import Target


def named_place(modules: tuple[str, ...]) -> str:
    """Return modules as errors name them: ``module features.3``, ``modules 7 + 10 + 11``; nothing for none."""
    if not modules:
        return ""
    return f"module{'s' if len(modules) > 1 else ''} {' + '.join(modules)}"


@dataclass(frozen=True)
class Scaled:
    """``mantissa * 2**exponent``, the form in which a synapse stores one number.

    Attributes:
        mantissa: From 0; on a chip up to ``Target.weight_magnitude_maximum``.
        exponent: From 0; on a chip up to ``Target.weight_exponent_maximum``.
    """

    mantissa: int
    exponent: int

    @property
    def value(self) -> int:
        """The number itself."""
        return self.mantissa << self.exponent

    @classmethod
    def largest(cls, target: Target) -> Scaled:
        """Return the largest number that a chip can represent."""
        return cls(target.weight_magnitude_maximum, target.weight_exponent_maximum)

    @classmethod
    def below(cls, limit: float, target: Target) -> Scaled:
        """Return the largest representable number <= limit; limit from 1 to the largest."""
        mantissa, exponent = math.floor(limit), 0
        while mantissa > target.weight_magnitude_maximum:
            mantissa, exponent = mantissa >> 1, exponent + 1
        return cls(mantissa, exponent)

    @classmethod
    def above(cls, limit: float, target: Target) -> Scaled:
        """Return the smallest representable number >= limit; limit from 1 to the largest."""
        mantissa, exponent = math.ceil(limit), 0
        while mantissa > target.weight_magnitude_maximum:
            mantissa, exponent = -(-mantissa >> 1), exponent + 1
        return cls(mantissa, exponent)


@dataclass(frozen=True, eq=False)
class Entries:
    """Where the weights of a sparse synapse stand, row by row, as scipy's csr_matrix has it.

    Attributes:
        row_starts: int32, (neurons of the layer + 1,): the weights of row r are row_starts[r]..row_starts[r + 1] - 1.
        columns: int32, (weights,): the flattened neuron of the source that each weight reads, ascending in each row.
    """

    row_starts: NDArray[np.int32]
    columns: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Synapse:
    """The connections from one layer, or from the input, to another.

    A spike adds ``weight * 2**exponent``.

    Attributes:
        source: Index of the layer whose spikes arrive; -1: the input.
        kind: ``conv``, ``dense`` or ``sparse``; the last two read a flattened source, channel first.
        weight: int16, such as the chip has (``Target.spike_weights``): (out_channels, in_channels / groups, height,
            width), (out, in), or for sparse ones (weights,).
        stride, padding, dilation: (vertical, horizontal); conv only.
        groups: Channel groups; conv only.
        exponent: From 0, common to all weights.
        hold: Steps that spikes are held back at least, whatever the other paths: what makes a relay bridge many steps.
        entries: Where the weights stand; sparse only.
    """

    source: int
    kind: Literal["conv", "dense", "sparse"]
    weight: AnyIntegerArray
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    exponent: int = 0
    hold: int = 0
    entries: Entries | None = None

    @property
    def has_netx_form(self) -> bool:
        """Whether netx can load it: it knows no exponents and no delays, and fails on a matrix of zeros alone."""
        if self.exponent or self.hold:
            return False
        return self.kind == "conv" or (self.kind == "dense" and bool(self.weight.any()))

    @property
    def scaled_weight(self) -> NDArray[np.int32]:
        """What a spike adds, in weight units, in the shape of ``weight``."""
        return self.weight.astype(np.int32) << self.exponent

    def matrix(self, source_shape: tuple[int, ...]) -> csr_matrix:
        """Return the weights, without the exponent, from each neuron of the source to each of the layer.

        Args:
            source_shape: Shape of what the synapse reads.

        Returns:
            (neurons of the layer, neurons of the source), both flattened channel first.
        """
        if self.kind == "conv":
            return convolution_matrix(
                self.weight,
                source_shape,
                stride=self.stride,
                padding=self.padding,
                dilation=self.dilation,
                groups=self.groups,
            )
        if self.entries is None:
            return csr_matrix(self.weight)
        shape = (len(self.entries.row_starts) - 1, math.prod(source_shape))
        return csr_matrix((self.weight, self.entries.columns, self.entries.row_starts), shape)


Bias = NDArray[np.int32]


@dataclass(frozen=True)
class Gate:
    """The pulse that silences a layer in the blank step between two samples.

    Where layers have a lead, the same pulse closes a layer as its window opens, until another takes it back.

    Attributes:
        pulse: Size of one pulse.
        count: Number of pulses given at once.
    """

    pulse: Scaled
    count: int

    @property
    def value(self) -> int:
        """Total, in weight units."""
        return self.pulse.value * self.count

    @classmethod
    def above(cls, needed: float, target: Target) -> Gate:
        """Return the weakest gate of at least ``needed`` weight units that a chip can represent."""
        count = max(1, math.ceil(needed / Scaled.largest(target).value))
        return cls(Scaled.above(max(1.0, needed / count), target), count)


@dataclass(frozen=True)
class Membrane:
    """Range of a layer's membrane potential over a sample's window, in weight units.

    Attributes:
        proven: (lowest, highest) that any input can cause, by interval arithmetic.
        measured: (lowest, highest) on the calibration samples; None before they were run.
        samples: Number of calibration samples that ``measured`` rests on.
    """

    proven: tuple[int, int]
    measured: tuple[int, int] | None = None
    samples: int = 0


class NeuronLayer(ABC):
    """A population of neurons, of whatever kind, and what feeds it.

    Attributes:
        name: Unique; the name of the IR node.
        modules: Qualified names of the PyTorch modules that went into it.
        shape: (channels, height, width) or (features,).
        synapses: What feeds it, at least one.
        bias: int32, for each channel or neuron.
        scale: What one unit of what the layer sends stands for, (channels,), in the ANN's units.
        membrane: Range of the neurons' state.
    """

    name: str
    modules: tuple[str, ...]
    shape: tuple[int, ...]
    synapses: tuple[Synapse, ...]
    bias: Bias
    scale: NDArray[np.float64]
    membrane: Membrane

    @property
    def where(self) -> str:
        """What errors call it: its modules, or its name where it was made of none."""
        return named_place(self.modules) or self.name

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)

    @property
    def values(self) -> int:
        """Number of neurons that stand for a value of the ANN."""
        return self.neurons

    @property
    @abstractmethod
    def is_readout(self) -> bool:
        """Whether its neurons only add up: their sum is the result."""

    @property
    def resets_itself(self) -> bool:
        """Whether each neuron has a synapse to itself, which resets it."""
        return False


@dataclass(frozen=True, eq=False)
class Layer(NeuronLayer):
    """A population of neurons and what feeds it.

    A step does ``u += synapses + bias``; the neuron fires where ``u >= threshold - initial_potential`` and then
    ``u -= threshold``, with u = 0 at the start of each sample (the initial potential is a lower threshold). A readout
    only adds up. A memoryless layer forgets u at the end of each step.

    A program may have its layers lead: with lead k, input and bias arrive in the first T of T + k steps, and the neuron
    fires and resets in the last T of them only, so that its t-th spike knows the input of k steps more. A readout and a
    memoryless layer have no lead.

    Attributes:
        name: As in :class:`NeuronLayer`, and so are ``modules`` and ``shape``.
        synapses: At least one; the first is one whose spikes arrive last, those of the deepest source, and gives the
            layer its place in the netx chain.
        bias: int32, (channels, 1, 1), (channels, height, width) or (features,); added at every step.
        threshold: theta; None for the readout.
        initial_potential: v0, 0 <= v0 < theta; 0 for the readout.
        gate: What silences the layer in the blank step; None for the readout, and for memoryless layers, which are
            silent where nothing arrives.
        scale: Activation that one spike in every step stands for (Vth), (channels,); for the readout the logit that
            one weight unit in every step stands for.
        membrane: Range of the membrane potential.
        memoryless: Whether it starts every step from 0; such a layer has neither bias nor initial potential.
    """

    name: str
    modules: tuple[str, ...]
    shape: tuple[int, ...]
    synapses: tuple[Synapse, ...]
    bias: Bias
    threshold: Scaled | None
    initial_potential: int
    gate: Gate | None
    scale: NDArray[np.float64]
    membrane: Membrane
    memoryless: bool = False

    @property
    def is_readout(self) -> bool:
        """Whether its neurons only add up: their sum is the result."""
        return self.threshold is None

    @property
    def resets_itself(self) -> bool:
        """Whether each neuron has a synapse to itself, which takes the threshold off where it fired."""
        return self.threshold is not None and not self.memoryless

    @property
    def firing_level(self) -> int:
        """The membrane potential from which on the neuron fires: theta - v0."""
        assert self.threshold is not None
        return self.threshold.value - self.initial_potential
