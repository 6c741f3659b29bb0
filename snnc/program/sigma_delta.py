"""A compiled network of sigma-delta neurons, which netx loads and runs with nothing attached.

Integers, with the names of Lava's processes (lava/proc/sdn/models.py, the fixed-point models) and the exponents that
netx gives them (lava/lib/dl/netx/hdf5.py, ``get_neuron_params``: ``state_exp`` and ``spike_exp`` of 6)::

    sigma = sigma + weight * messages
    act'  = max(sigma + 2^12 bias, 0)
    delta = act' - act + residue
    s_out = delta >> 6  if |delta| >= 2^12 delta_threshold, else 0
    residue = 0 if a message was sent, else delta
    act   = act'

A message is a change of an activation, and sums of messages are activations: ``scale`` says what one unit of such a
sum stands for. The shift rounds down and Lava does not keep what it rounds away, so each message loses less than one
unit. The input passes a Delta process, which sends ``64 * level`` once, and the readout is a Sigma process, whose
output is its sum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from snnc.common.arrays import per_channel
from snnc.program.coding import InputCoding
from snnc.program.layer import Membrane, NeuronLayer, Synapse
from snnc.program.messages import BIAS_UNIT, STATE_LIMIT
from snnc.program.network import CompiledNetwork, Wording
from snnc.program.provenance import AnnLayer, Provenance
from snnc.program.targets import SIGMA_DELTA

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True, eq=False)
class SigmaDeltaLayer(NeuronLayer):
    """A population of SigmaDelta neurons, or the readout's Sigma neurons, and the synapse that feeds it.

    The relay that follows the input was made of no module; shapes include the channel of constants.

    Attributes:
        name: As in :class:`NeuronLayer`, and so are ``modules`` and ``shape``.
        synapse: It reads the layer before; ``conv`` of one group or ``dense``, weights -127..127, no exponent.
        bias: int32, (channels,), in units of 2^12; zeros for the readout, which has none.
        delta_threshold: Changes below it are held back, in units of 2^12 of sigma, 0..511; None for the readout.
        scale: Activation that one unit of a sum of messages stands for, (channels,); for the readout the logit of one
            unit of sigma. Behind the relay levels of the input stand for activations.
        membrane: Range of sigma plus bias, in units of sigma, over a sample.
        has_constant: Whether the last channel holds a number, for the biases of the next layer, and no activation.
        synapses: The synapse, as layers have it that may have several.
    """

    name: str
    modules: tuple[str, ...]
    shape: tuple[int, ...]
    synapse: Synapse
    bias: NDArray[np.int32]
    delta_threshold: int | None
    scale: NDArray[np.float64]
    membrane: Membrane
    has_constant: bool
    synapses: tuple[Synapse, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Make a tuple of the synapse, as layers have it that may have several."""
        object.__setattr__(self, "synapses", (self.synapse,))

    @property
    def values(self) -> int:
        """Number of neurons that stand for a value of the ANN: constants do not."""
        return self.neurons - self.has_constant * self.neurons // self.shape[0]

    @property
    def is_readout(self) -> bool:
        """Whether its neurons only add up: their sum is the result."""
        return self.delta_threshold is None

    @property
    def offset(self) -> NDArray[np.int64]:
        """What is added to sigma, of a shape that fits the layer's."""
        return per_channel(self.bias.astype(np.int64) * BIAS_UNIT, len(self.shape))

    @property
    def held_back(self) -> int:
        """Changes below this, in units of sigma, are not sent."""
        return (self.delta_threshold or 0) * BIAS_UNIT


@dataclass(frozen=True, eq=False)
class SigmaDeltaProgram(CompiledNetwork):
    """A chain of sigma-delta layers.

    A network starts with all neurons at zero. From step 0 on biases send messages, which pass on layer by layer until
    the network is at rest. A sample finds it there, and its levels are held at the input until the readout has seen all
    of them: layer i, from 0, gets them in step i + 1, and sends no more after that. Where the first sample is there
    from the start, it follows the biases one step behind and finds each layer as it is at rest too.

    Attributes:
        target: Name of the chip, ``loihi2``.
        coding: How data become levels.
        layers: The relay after the input, the ANN's layers, the readout; each reads the one before.
        ann: The ANN's linear layers.
        provenance: Where it came from.
        timesteps: Steps that a sample takes: until the readout holds the result, after which nothing changes.
    """

    neuron: ClassVar[str] = SIGMA_DELTA
    wording: ClassVar[Wording] = Wording(
        neurons="sigma-delta neurons",
        sent="messages",
        rate="neurons that send a message",
        control="input neurons",
        remedy="data like these",
    )

    target: str
    coding: InputCoding
    layers: tuple[SigmaDeltaLayer, ...]
    ann: tuple[AnnLayer, ...]
    provenance: Provenance
    timesteps: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Work out the steps from the layers."""
        object.__setattr__(self, "timesteps", len(self.layers) + 1)

    @property
    def readout(self) -> SigmaDeltaLayer:
        """The layer whose sigma holds the result."""
        return self.layers[-1]

    @property
    def spiking_layers(self) -> tuple[SigmaDeltaLayer, ...]:
        """All layers that send messages."""
        return self.layers[:-1]

    @property
    def interval(self) -> int:
        """Steps from one sample to the next; all neurons are set back to rest in between."""
        return self.timesteps

    @property
    def latency(self) -> int:
        """Steps from a sample's first input until its result."""
        return self.timesteps

    @property
    def sending_steps(self) -> int:
        """The largest number of steps of a sample in which one neuron can send a message: 1."""
        return 1

    @property
    def membrane_limit(self) -> int:
        """First magnitude that sigma must not reach."""
        return STATE_LIMIT

    @property
    def control_neurons(self) -> int:
        """Neurons that send the input's changes, one for each value."""
        return math.prod(self.coding.shape)

    def control_synapses(self, index: int) -> int:
        """Return 0: neurons hold their biases, and nothing silences them.

        Args:
            index: The layer's place in the program.
        """
        return 0

    def shortened(self, timesteps: int) -> SigmaDeltaProgram:
        """Return the program itself: its result is there after its last step alone.

        Args:
            timesteps: Any number.
        """
        return self

    def with_provenance(self, provenance: Provenance) -> Self:
        """Return the program with another provenance."""
        return replace(self, provenance=provenance)

    def logits(self, readout: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the ANN's logits as the network approximates them.

        Args:
            readout: sigma of the readout, (samples, classes).

        Returns:
            Same shape, in the ANN's units.
        """
        scaled: NDArray[np.float64] = readout * self.readout.scale
        return scaled
