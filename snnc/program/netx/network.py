"""What a netx file describes, in PyTorch's order of axes: (channels, height, width)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from snnc.program.targets import LOIHI2

# Membranes of 24 bits never get above these thresholds, or only just: such neurons are there to be read.
READOUT_THRESHOLD = LOIHI2.threshold_maximum


@dataclass(frozen=True, eq=False)
class Neurons:
    """Lava's LIF (lava/proc/lif/models.py), current-based leaky integrate-and-fire neurons with reset to zero.

    In each step, with decays that round towards zero::

        u = u * (4096 - current_decay) / 4096 + 64 * input        (wraps around at 24 bits)
        v = v * (4096 - voltage_decay) / 4096 + u + 64 * bias     (stays within 24 bits)
        a neuron fires where v > 64 * threshold, and its v is then 0

    Attributes:
        current_decay: What u loses, 0..4096, in 4096ths (``iDecay``).
        voltage_decay: What v loses, 0..4096, in 4096ths (``vDecay``).
        threshold: ``vThMant``, from 0.
        bias: Mantissas, -32768..32767, int32, of the block's shape; read only.
    """

    current_decay: int
    voltage_decay: int
    threshold: int
    bias: NDArray[np.int32]

    @property
    def is_readout(self) -> bool:
        """Whether they are there to be read: the threshold is (about) as high as a membrane potential can get."""
        return self.threshold >= READOUT_THRESHOLD


@dataclass(frozen=True, eq=False)
class Connections:
    """The synapses into a block, with what Lava makes of their weights.

    Attributes:
        kind: ``conv`` or ``dense``, which reads a flattened source, channel first.
        weight: int32, (out channels, in channels / groups, height, width) or (out, in).
        shift: Sums are divided by 2^shift and rounded down, as Lava does where netx has scaled weights up.
        stride, padding, dilation: (vertical, horizontal); conv only.
        groups: Channel groups; conv only.
        delay: Steps more than one that a spike takes over each synapse, 0..62, int64, of the weight's shape; dense
            only. None: none.
    """

    kind: Literal["conv", "dense"]
    weight: NDArray[np.int32]
    shift: int = 0
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    delay: NDArray[np.int64] | None = None

    @property
    def largest_sum(self) -> int:
        """The largest magnitude of what one neuron receives in a step if every value that arrives is at most 1."""
        rows = np.abs(self.weight.astype(np.int64)).reshape(len(self.weight), -1)
        return int(rows.sum(axis=1).max(initial=0))

    @property
    def longest_delay(self) -> int:
        """In steps."""
        return 0 if self.delay is None else int(self.delay.max(initial=0))


@dataclass(frozen=True)
class Transform:
    """What makes a bias mantissa of an input value: ``weight * value + bias``.

    Attributes:
        weight: A whole number.
        bias: A whole number.
    """

    weight: int
    bias: int


@dataclass(frozen=True, eq=False)
class Block:
    """A layer of netx that has neurons.

    Attributes:
        name: Its group in the file, such as ``layer/2``.
        shape: (channels, height, width) or (features,).
        neurons: Its neurons.
        connections: The synapses into it; None for an input block, whose input is its neurons' biases.
        recurrent: Synapses from its neurons to themselves, over which a spike takes one step as over others; None:
            none.
    """

    name: str
    shape: tuple[int, ...]
    neurons: Neurons
    connections: Connections | None
    recurrent: Connections | None = None

    @property
    def size(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)


@dataclass(frozen=True, eq=False)
class NetxNetwork:
    """A chain of blocks.

    Attributes:
        blocks: From the input to the output; the first one may be an input block.
        input_shape: (channels, height, width) or (features,): what a step of input looks like.
        transform: What makes biases of input values; None without an input block.
        outputs: The last block's neurons in so many groups of equal size, one for each class, by an ``average`` at the
            end of the file; None: each neuron for itself.
        timesteps: Steps of a sample, by the file; None where it does not say.
        notes: What the file says and Lava ignores, or changes.
        num_layers: How many entries of the file are read, those after them left out, as netx counts them.
        skip_layers: How many of them are left out at the beginning.
        takes_graded: Whether netx can be told that numbers arrive and not spikes: not after an input block, and not
            where blocks are skipped.
    """

    blocks: tuple[Block, ...]
    input_shape: tuple[int, ...]
    transform: Transform | None
    outputs: int | None
    timesteps: int | None
    notes: tuple[str, ...]
    num_layers: int
    skip_layers: int = 0
    takes_graded: bool = True

    @property
    def takes_biases(self) -> bool:
        """Whether input arrives as the biases of an input block, and not as spikes."""
        return self.blocks[0].connections is None

    @property
    def first_latency(self) -> int:
        """Steps from a step of input to the first block's answer: 0 for an input block, else one for its synapses."""
        return 0 if self.takes_biases else 1

    @property
    def remembers(self) -> bool:
        """Whether spikes are under way that a reset of the neurons does not clear: delayed, or sent back."""
        return any(block.recurrent or (block.connections and block.connections.longest_delay) for block in self.blocks)

    def source_shape(self, index: int) -> tuple[int, ...]:
        """Return the shape of what a block's synapses read."""
        return self.blocks[index - 1].shape if index else self.input_shape
