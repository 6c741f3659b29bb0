"""A program's Lava network written down instead of built, for which Lava need not be installed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.compiler.emit.grouping import joined_groups
from snnc.compiler.emit.layout import VOLTAGE_DECAY, current_decay, fired_above
from snnc.compiler.program import Program, Synapse
from snnc.runtime.lava.assembly import Assembly
from snnc.runtime.lava.input_stream import input_order, input_shape, message_bits
from snnc.runtime.lava.population import Population, image_order
from snnc.runtime.lava.recorded_parts import RecordedParts, RecordedProcess
from snnc.runtime.lava.schedule import Schedule
from snnc.runtime.lava.synapses import check_delays


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
    """Writes down the network that :class:`snnc.runtime.lava.network.LavaNetwork` builds.

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
    """What netx makes of the chain: its blocks are a synapse and a LIFReset each."""
    chain: dict[int, Population] = {}
    before, bits = source, message_bits(program)
    for index in program.chain:
        layer = program.layers[index]
        synapse = layer.synapses[0]
        make = _conv if synapse.kind == "conv" else _dense
        process = make(parts, synapse, before, bits)
        neurons = parts.lif_reset(
            shape=layer.shape[::-1],
            vth=fired_above(layer),
            du=current_decay(layer) - 1,
            dv=VOLTAGE_DECAY,
            bias_exp=6,
            reset_interval=schedule.interval,
            reset_offset=schedule.reset_offset(program.depths[index]),
        )
        process.a_out.connect(neurons.a_in)
        before, bits = Population(neurons, layer.shape[::-1], image_order(layer.shape)), 0
        chain[index] = before
    return chain


def _conv(parts: RecordedParts, synapse: Synapse, source: Population, bits: int) -> RecordedProcess:
    """A convolution with its axes turned around, as netx turns them, and the kernels with them."""
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


def _dense(parts: RecordedParts, synapse: Synapse, source: Population, bits: int) -> RecordedProcess:
    process = parts.dense(
        weights=synapse.weight.astype(np.int32),
        num_weight_bits=8,
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
