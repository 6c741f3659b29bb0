"""Running a graph on a batch, as spiking neurons compute it in floating point."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch

from snnc.common.arrays import per_channel
from snnc.common.errors import PassError
from snnc.common.memory import keep_freed_memory
from snnc.compiler.conversion.float_simulation.neurons import Neuron, send
from snnc.compiler.ir import Graph, Input, Node, Output, Readout, Relay, SpikeMax2d, SpikingLayer
from snnc.compiler.ir.graph import channels_last
from snnc.compiler.ir.ops import as_tensor

# Values of one layer over all steps that are held at once: 4 MiB of float32, which caches hold.
VALUES_AT_ONCE = 1 << 20


@dataclass(frozen=True, eq=False)
class FloatRun:
    """What a network did to a batch.

    Attributes:
        readout: Input of the readout, summed over the steps and divided by T, (batch, *shape): what the ANN's logits
            are approximated by, in their units.
        rates: ``Vth * sum of spikes / T`` for each layer that was asked for, (batch, *shape): what its activations are
            approximated by, in their units.
        spikes: For each spiking layer that was computed the number of its spikes, of both signs, over all samples.
        sent: What each layer sent that was asked for, (T, batch, *shape): spikes times thresholds.
    """

    readout: torch.Tensor
    rates: Mapping[str, torch.Tensor]
    spikes: Mapping[str, int]
    sent: Mapping[str, torch.Tensor]


def simulate(
    graph: Graph,
    batch: torch.Tensor,
    timesteps: int,
    *,
    neuron: Neuron = "if",
    lead: int = 0,
    keep: Collection[str] = (),
    keep_sent: Collection[str] = (),
    sent: Mapping[str, torch.Tensor] = MappingProxyType({}),
) -> FloatRun:
    """Simulate a spiking network that is not quantised.

    The input is the same at every step, biases are added at every step, a spike stands for the threshold of its
    channel, and the readout adds up without firing. All layers see their windows whole, as on the chip, so each is
    computed for all T steps at once.

    Args:
        graph: Spiking layers with thresholds and initial potentials, and a readout.
        batch: (batch, *input shape), in the units of the graph's input; its precision and device are the computation's.
        timesteps: T, at least 1.
        neuron: The kind of neuron of all layers; see :func:`spike_trains`.
        lead: Steps that each layer integrates before it may fire.
        keep: Names of spiking layers whose rates are wanted.
        keep_sent: Names of spiking layers of which is wanted what they sent.
        sent: What layers sent in an earlier run on this batch, by their names; neither they nor what they alone depend
            on are computed.

    Raises:
        PassError: A node is neither input, spiking layer, readout nor output, or a layer has no threshold.
        ValueError: T is below 1, or there is no such neuron.
    """
    _check(graph)
    keep_freed_memory()
    size = samples_at_once(graph, timesteps)
    nodes = _computed(graph, (*keep, *keep_sent), sent)
    parts = {name: torch.split(value, size, dim=1) for name, value in sent.items()}
    with torch.no_grad():
        runs = [
            _simulate(nodes, part, timesteps, neuron, lead, keep, keep_sent, {name: parts[name][at] for name in parts})
            for at, part in enumerate(torch.split(batch, size))
        ]
    return FloatRun(
        torch.cat([run.readout for run in runs]),
        {name: torch.cat([run.rates[name] for run in runs]) for name in keep},
        {name: sum(run.spikes[name] for run in runs) for name in runs[0].spikes},
        {name: torch.cat([run.sent[name] for run in runs], dim=1) for name in keep_sent},
    )


def samples_at_once(graph: Graph, timesteps: int) -> int:
    """Return how many samples are simulated at once."""
    largest = max(math.prod(node.shape) for node in graph)
    return max(1, VALUES_AT_ONCE // (max(1, timesteps) * largest))


def _computed(graph: Graph, wanted: Collection[str], sent: Mapping[str, torch.Tensor]) -> list[Node]:
    """Return the nodes that the output and what is wanted depend on, as far as it is not known what they sent."""
    needed = {graph.output.name, *wanted} - {*sent}
    for node in reversed(list(graph)):
        if node.name in needed:
            needed |= {*node.inputs} - {*sent}
    return [node for node in graph if node.name in needed]


def _check(graph: Graph) -> None:
    for node in graph:
        if not isinstance(node.op, Input | SpikingLayer | SpikeMax2d | Relay | Readout | Output):
            raise PassError(f"{node.op.kind} cannot be simulated as spiking neurons", where=node.where)
        if isinstance(node.op, SpikingLayer) and (node.op.threshold is None or node.op.initial_potential is None):
            raise PassError("the layer has no threshold yet", where=node.where)


def _simulate(
    nodes: Sequence[Node],
    batch: torch.Tensor,
    timesteps: int,
    neuron: Neuron,
    lead: int,
    keep: Collection[str],
    keep_sent: Collection[str],
    sent: Mapping[str, torch.Tensor],
) -> FloatRun:
    last_use = {source: index for index, node in enumerate(nodes) for source in node.inputs}
    # What each layer sends, (steps, batch, *shape), with one step where all are the same.
    values: dict[str, torch.Tensor] = dict(sent)
    kept: dict[str, torch.Tensor] = {}
    rates: dict[str, torch.Tensor] = {}
    spikes: dict[str, int] = {}
    readout = batch
    for index, node in enumerate(nodes):
        inputs = [values[name] for name in node.inputs]
        match node.op:
            case Input():
                values[node.name] = batch[None]
            case SpikingLayer():
                values[node.name], spikes[node.name] = _layer(node, inputs, timesteps, neuron, lead)
                if node.name in keep:
                    rates[node.name] = values[node.name].mean(0)
            case SpikeMax2d() | Relay():
                # Step by step: a spike passes where any of its window does, and stands for what that stands for.
                (value,) = inputs
                passed = node.op.apply(value.flatten(0, 1)).reshape(*value.shape[:2], *node.shape)
                spikes[node.name] = int(torch.count_nonzero(passed))
                values[node.name] = passed
                if node.name in keep:
                    rates[node.name] = passed.mean(0)
            case Readout():
                # Linear: the mean over the steps may be taken before.
                readout = node.op.drive(*(value.mean(0) for value in inputs))
                values[node.name] = readout
        if node.name in keep_sent:
            kept[node.name] = values[node.name]
        for source in set(node.inputs):
            if last_use[source] == index:
                del values[source]
    return FloatRun(readout, rates, spikes, kept)


def _layer(
    node: Node, inputs: list[torch.Tensor], timesteps: int, neuron: Neuron, lead: int
) -> tuple[torch.Tensor, int]:
    """Return what a layer sends, (T, batch, *shape), and the number of its spikes."""
    op = node.op
    assert isinstance(op, SpikingLayer) and op.threshold is not None and op.initial_potential is not None
    drive: torch.Tensor | None = None
    for synapse, value in zip(op.synapses, inputs, strict=True):
        part = synapse.apply(channels_last(value.flatten(0, 1))).reshape(*value.shape[:2], *node.shape)
        drive = part if drive is None else drive + part
    assert drive is not None
    threshold = per_channel(as_tensor(op.threshold, drive), len(node.shape))
    potential = per_channel(as_tensor(op.initial_potential, drive), len(node.shape))
    return send(drive, threshold, potential, timesteps, neuron, lead)
