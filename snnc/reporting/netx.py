"""A netx file of lava-dl, and a run of it, as tables and JSON objects."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snnc.program.netx import Block, NetxNetwork
from snnc.reporting import wording
from snnc.reporting.run import Sender, sender_table
from snnc.reporting.table import Json, Table, column
from snnc.runtime.energy import count_netx_operations
from snnc.runtime.netx.drive import as_synapse
from snnc.runtime.netx.result import NetxResult
from snnc.runtime.netx.schedule import NetxSchedule


def netx_table(network: NetxNetwork) -> Table[Block]:
    """Return a row for each block: synapses, neurons, their parameters."""
    return Table(
        (
            column(lambda block: block.name, title="layer", key="name", kind="name", total="all layers"),
            column(synapses, title="synapses"),
            column(lambda block: block.shape, wording.shape, title="shape", key="shape", kind="number"),
            column(
                lambda block: block.size,
                wording.count,
                title="neurons",
                key="neurons",
                kind="number",
                total=sum(block.size for block in network.blocks),
            ),
            column(
                lambda block: "readout" if block.neurons.is_readout else wording.count(block.neurons.threshold),
                title="threshold",
                kind="number",
            ),
            column(lambda block: block.neurons.threshold, key="threshold"),
            column(
                lambda block: block.neurons.current_decay,
                wording.count,
                title="u decay",
                key="current_decay",
                kind="number",
            ),
            column(
                lambda block: block.neurons.voltage_decay,
                wording.count,
                title="v decay",
                key="voltage_decay",
                kind="number",
            ),
            column(
                lambda block: _ends(block.neurons.bias) if block.connections else None,
                _range,
                title="bias",
                kind="number",
                missing="input",
            ),
            column(lambda block: _ends(block.neurons.bias), key="bias"),
            column(
                lambda block: _ends(block.connections.weight) if block.connections else None,
                _range,
                title="weights",
                kind="number",
            ),
            column(_synapses_json, key="synapses"),
        ),
        network.blocks,
        legend="decays in 4096ths a step; thresholds and biases are mantissas",
    )


def netx_run_table(network: NetxNetwork, result: NetxResult, schedule: NetxSchedule) -> Table[Sender]:
    """Return a row for each block: spikes and synaptic operations, for one sample on average."""
    slots = schedule.timesteps * result.samples
    return sender_table(
        [
            Sender(
                block.name,
                block.name,
                block.size,
                int(counts.sum()),
                block.size * slots,
                operations,
                has_synapses=block.connections is not None,
            )
            for block, counts, operations in zip(
                network.blocks, result.spike_counts, count_netx_operations(network, result), strict=True
            )
        ],
        result.samples,
        sent="spikes",
        rate="neurons and steps with a spike",
    )


def netx_json(network: NetxNetwork) -> Json:
    """Return what the file describes."""
    transform = network.transform
    return {
        "format": "netx",
        "input": {
            "shape": list(network.input_shape),
            "transform": None if transform is None else {"weight": transform.weight, "bias": transform.bias},
        },
        "timesteps": network.timesteps,
        "outputs": network.outputs or network.blocks[-1].size,
        "decision": decision(network),
        "layers": netx_table(network).records(),
        "notes": list(network.notes),
    }


def netx_run_json(
    network: NetxNetwork, result: NetxResult, schedule: NetxSchedule, labels: NDArray[np.int64] | None
) -> Json:
    """Return scores, predictions, accuracy, spikes and synaptic operations, summed over all samples and steps.

    Args:
        network: The network that ran.
        result: What it gave.
        schedule: Its steps.
        labels: The right classes, (samples,); None where they are not known.
    """
    predictions = result.predictions(network)
    right = None if labels is None else int((predictions == labels).sum())
    return {
        "format": "netx",
        "samples": result.samples,
        "timesteps": schedule.timesteps,
        "reset_interval": schedule.reset_interval,
        "reset_offset": schedule.reset_offset,
        "decision": decision(network),
        "accuracy": None if right is None else right / result.samples,
        "correct": right,
        "predictions": predictions.tolist(),
        "scores": result.scores(network).tolist(),
        "layers": [
            {
                **record,
                "wraps": None if result.wraps is None else result.wraps[index],
                "clips": None if result.clips is None else result.clips[index],
            }
            for index, record in enumerate(netx_run_table(network, result, schedule).records())
        ],
    }


def decision(network: NetxNetwork) -> str:
    """Return what a class is chosen by."""
    return "membrane_potential" if network.blocks[-1].neurons.is_readout else "spike_count"


def schedule_sentence(schedule: NetxSchedule) -> str:
    """Return ``T = 16, each sample from rest``."""
    if schedule.separates_samples:
        return f"T = {schedule.timesteps:,}, each sample from rest"
    if schedule.reset_interval is None:
        return f"T = {schedule.timesteps:,}, one stream without resets"
    return (
        f"T = {schedule.timesteps:,}, one stream with resets once in {schedule.reset_interval:,} steps, "
        f"offset {schedule.reset_offset:,}"
    )


def input_sentence(network: NetxNetwork) -> str:
    """Return ``input 3×16×16 (biases 36 * value + 34), T = 64``."""
    text = f"input {wording.shape(network.input_shape)}"
    if network.transform is None:
        text += " (spikes, or numbers with --input-bits)"
    else:
        text += f" (biases {network.transform.weight} * value + {network.transform.bias})"
    return text if network.timesteps is None else f"{text}, T = {network.timesteps:,}"


def output_sentence(network: NetxNetwork) -> str:
    """Return what the last block's neurons tell."""
    last = network.blocks[-1]
    by = "membrane potentials" if last.neurons.is_readout else "numbers of spikes"
    if network.outputs is None:
        return f"{last.size:,} outputs, {by}"
    return f"{network.outputs:,} outputs, {by} of {last.size // network.outputs:,} neurons each"


def synapses(block: Block) -> str:
    """Return ``conv 5×5, 3→24, stride 2``, with delays after it."""
    if block.connections is None:
        return "input"
    text = wording.synapse(as_synapse(block.connections))
    if block.connections.shift:
        text += f", sums / {1 << block.connections.shift}"
    if block.connections.longest_delay:
        text += f", delays to {block.connections.longest_delay}"
    if block.recurrent:
        text += ", recurrent"
    return text


def _synapses_json(block: Block) -> Json | None:
    connections = block.connections
    if connections is None:
        return None
    found: Json = {
        "kind": connections.kind,
        "weight_shape": list(connections.weight.shape),
        "weights": _ends(connections.weight),
        "shift": connections.shift,
        "longest_delay": connections.longest_delay,
        "is_recurrent": block.recurrent is not None,
    }
    if connections.kind == "conv":
        found |= {
            "stride": list(connections.stride),
            "padding": list(connections.padding),
            "dilation": list(connections.dilation),
            "groups": connections.groups,
        }
    return found


def _ends(values: NDArray[np.int32]) -> tuple[int, int]:
    return int(values.min()), int(values.max())


def _range(ends: tuple[int, int]) -> str:
    low, high = ends
    return f"{low:,}" if low == high else f"{low:,} .. {high:,}"
