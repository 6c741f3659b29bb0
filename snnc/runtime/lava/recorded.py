"""A program's Lava network written down instead of built, for which Lava need not be installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from snnc.program import Program, Synapse
from snnc.program.net.chain import VOLTAGE_DECAY, current_decay, fired_above, joined_groups
from snnc.program.targets import get_target
from snnc.runtime.lava.assembly import Assembly
from snnc.runtime.lava.population import Population, image_order, input_order, input_shape, message_bits
from snnc.runtime.lava.schedule import Schedule
from snnc.runtime.lava.synapses import check_delays

# How the axes of a port are rearranged: the method of Lava's port, and its argument.
Rearrangement = tuple[str, tuple[int, ...]]


@dataclass(frozen=True)
class RecordedConnection:
    """A port that sends, and one that receives.

    Attributes:
        source: Number of the process that sends.
        source_port: Its port.
        rearranged: What happens to the axes on the way.
        target: Number of the process that receives.
        target_port: Its port.
    """

    source: int
    source_port: str
    rearranged: tuple[Rearrangement, ...]
    target: int
    target_port: str


@dataclass(frozen=True, eq=False)
class RecordedPort:
    """A port, as far as connecting asks for it.

    Attributes:
        record: Where connections are written down.
        process: Number of the process that it belongs to.
        name: Its name there.
        rearranged: What happened to its axes.
    """

    record: list[RecordedConnection]
    process: int
    name: str
    rearranged: tuple[Rearrangement, ...] = ()

    def reshape(self, shape: Sequence[int]) -> RecordedPort:
        """Return the same port with other axes."""
        return replace(self, rearranged=(*self.rearranged, ("reshape", tuple(map(int, shape)))))

    def transpose(self, axes: Sequence[int]) -> RecordedPort:
        """Return the same port with its axes in another order."""
        return replace(self, rearranged=(*self.rearranged, ("transpose", tuple(map(int, axes)))))

    def connect(self, target: RecordedPort) -> None:
        """Have this port send to another."""
        assert not target.rearranged
        self.record.append(RecordedConnection(self.process, self.name, self.rearranged, target.process, target.name))


@dataclass(frozen=True, eq=False)
class RecordedProcess:
    """A process with the ports of neurons, synapses and sources; each uses those that it has on Lava.

    Attributes:
        number: Its place in the record.
        kind: The name of Lava's class, or ``Source``.
        options: What it is made with.
        connections: Where connections are written down.
    """

    number: int
    kind: str
    options: Mapping[str, Any]
    connections: list[RecordedConnection] = field(repr=False)

    @property
    def s_in(self) -> RecordedPort:
        """Where synapses receive."""
        return RecordedPort(self.connections, self.number, "s_in")

    @property
    def a_out(self) -> RecordedPort:
        """Where synapses send."""
        return RecordedPort(self.connections, self.number, "a_out")

    @property
    def a_in(self) -> RecordedPort:
        """Where neurons receive."""
        return RecordedPort(self.connections, self.number, "a_in")

    @property
    def s_out(self) -> RecordedPort:
        """Where neurons and sources send."""
        return RecordedPort(self.connections, self.number, "s_out")


class RecordedParts:
    """Writes down what is asked for.

    Attributes:
        processes: All processes, in the order in which they were asked for.
        connections: All connections, likewise.
    """

    def __init__(self) -> None:
        self.processes: list[RecordedProcess] = []
        self.connections: list[RecordedConnection] = []

    def source(self, shape: tuple[int, ...]) -> RecordedProcess:
        """Make what sends the input."""
        return self._add("Source", {"shape": shape})

    def lif(self, **options: Any) -> RecordedProcess:
        """Make neurons."""
        return self._add("LIF", options)

    def lif_reset(self, **options: Any) -> RecordedProcess:
        """Make neurons that are cleared once in each interval."""
        return self._add("LIFReset", options)

    def conv(self, *, weight: NDArray[np.int32], **options: Any) -> RecordedProcess:
        """Make synapses that share weights."""
        return self._add("Conv", {"weight": weight, **options})

    def dense(self, *, weights: NDArray[np.int32], **options: Any) -> RecordedProcess:
        """Make synapses between all."""
        return self._add("Dense", {"weights": weights, **options})

    def sparse(self, *, weights: csr_matrix, **options: Any) -> RecordedProcess:
        """Make synapses between some."""
        return self._add("Sparse", {"weights": weights, **options})

    def delay_sparse(self, *, weights: csr_matrix, delays: csr_matrix, **options: Any) -> RecordedProcess:
        """Make synapses between some that hold spikes back."""
        return self._add("DelaySparse", {"weights": weights, "delays": delays, **options})

    def _add(self, kind: str, options: dict[str, Any]) -> RecordedProcess:
        process = RecordedProcess(len(self.processes), kind, options, self.connections)
        self.processes.append(process)
        return process


@dataclass(frozen=True, eq=False)
class RecordedNetwork:
    """Everything but the samples, and what records and reads.

    Attributes:
        parts: Processes and connections.
        populations: The populations of the layers by their index; the input is -1.
        schedule: When what happens, for one sample.
    """

    parts: RecordedParts
    populations: dict[int, Population]
    schedule: Schedule


def record_network(program: Program) -> RecordedNetwork:
    """Write down the network that :class:`snnc.runtime.lava.network.LavaNetwork` builds.

    Args:
        program: The program.

    Raises:
        BackendError: A delay is longer than the target's synapses can hold spikes back.
    """
    check_delays(program)
    parts, schedule = RecordedParts(), Schedule.of(program, 1)
    source = Population(parts.source(input_shape(program)), input_shape(program), input_order(program))
    chain = _record_chain(program, schedule, parts, source)
    assembly = Assembly(program, schedule, parts, source, chain)
    return RecordedNetwork(parts, assembly.populations, schedule)


def _record_chain(
    program: Program, schedule: Schedule, parts: RecordedParts, source: Population
) -> dict[int, Population]:
    """Record what netx makes of the chain: its blocks are a synapse and a LIFReset each."""
    chain: dict[int, Population] = {}
    before, bits = source, message_bits(program)
    target = get_target(program.target)
    for index in program.chain:
        layer = program.layers[index]
        synapse = layer.synapses[0]
        make = _conv if synapse.kind == "conv" else partial(_dense, weight_bits=target.weight_bits)
        process = make(parts, synapse, before, bits)
        neurons = parts.lif_reset(
            shape=layer.shape[::-1],
            vth=fired_above(layer, target),
            du=current_decay(layer) - 1,
            dv=VOLTAGE_DECAY,
            bias_exp=target.synaptic_input_shift,
            reset_interval=schedule.interval,
            reset_offset=schedule.reset_offset(program.depths[index]),
        )
        process.a_out.connect(neurons.a_in)
        before, bits = Population(neurons, layer.shape[::-1], image_order(layer.shape)), 0
        chain[index] = before
    return chain


def _conv(parts: RecordedParts, synapse: Synapse, source: Population, bits: int) -> RecordedProcess:
    """Make a convolution with its axes turned around, as netx turns them, and the kernels with them."""
    weight, groups = joined_groups(synapse.weight, synapse.groups)
    process = parts.conv(
        weight=np.ascontiguousarray(weight[:, :, ::-1, ::-1].transpose(0, 3, 2, 1)).astype(np.int32),
        input_shape=source.shape,
        stride=synapse.stride[::-1],
        padding=synapse.padding[::-1],
        dilation=synapse.dilation[::-1],
        groups=groups,
        num_message_bits=bits,
    )
    source.process.s_out.connect(process.s_in)
    return process


def _dense(parts: RecordedParts, synapse: Synapse, source: Population, bits: int, weight_bits: int) -> RecordedProcess:
    process = parts.dense(
        weights=synapse.weight.astype(np.int32),
        num_weight_bits=weight_bits,
        # Lava would guess from the weights; see LavaNetwork.
        sign_mode="MIXED",
        num_message_bits=bits,
    )
    port = source.process.s_out
    if len(source.shape) > 1:
        # Channels first again, and then one axis.
        port = port.transpose((2, 1, 0)).reshape((source.neurons,))
    port.connect(process.s_in)
    return process
