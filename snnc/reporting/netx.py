"""A netx file of lava-dl, and a run of it, as tables."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.text import Text

from snnc.program.netx import Block, NetxNetwork
from snnc.reporting import wording
from snnc.reporting.table import plain_table
from snnc.runtime.energy import count_netx_operations
from snnc.runtime.netx.drive import as_synapse
from snnc.runtime.netx.result import NetxResult
from snnc.runtime.netx.schedule import NetxSchedule

Form = dict[str, object]


def netx_form(network: NetxNetwork) -> Form:
    """What the file describes."""
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
        "layers": [_block_form(block) for block in network.blocks],
        "notes": list(network.notes),
    }


def netx_run_form(
    network: NetxNetwork, result: NetxResult, schedule: NetxSchedule, labels: NDArray[np.int64] | None
) -> Form:
    """Scores, predictions, accuracy, spikes and synaptic operations, summed over all samples and steps.

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
                "name": block.name,
                "neurons": block.size,
                "spikes": int(counts.sum()),
                "synaptic_operations": operations,
                "wraps": None if result.wraps is None else result.wraps[index],
                "clips": None if result.clips is None else result.clips[index],
            }
            for index, (block, counts, operations) in enumerate(
                zip(network.blocks, result.spike_counts, count_netx_operations(network, result), strict=True)
            )
        ],
    }


def decision(network: NetxNetwork) -> str:
    """What a class is chosen by."""
    return "membrane_potential" if network.blocks[-1].neurons.is_readout else "spike_count"


def _block_form(block: Block) -> Form:
    connections, neurons = block.connections, block.neurons
    synapses: Form | None = None
    if connections:
        synapses = {
            "kind": connections.kind,
            "weight_shape": list(connections.weight.shape),
            "weights": [int(connections.weight.min()), int(connections.weight.max())],
            "shift": connections.shift,
            "longest_delay": connections.longest_delay,
            "is_recurrent": block.recurrent is not None,
        }
        if connections.kind == "conv":
            synapses |= {
                "stride": list(connections.stride),
                "padding": list(connections.padding),
                "dilation": list(connections.dilation),
                "groups": connections.groups,
            }
    return {
        "name": block.name,
        "shape": list(block.shape),
        "neurons": block.size,
        "threshold": neurons.threshold,
        "current_decay": neurons.current_decay,
        "voltage_decay": neurons.voltage_decay,
        "bias": [int(neurons.bias.min()), int(neurons.bias.max())],
        "synapses": synapses,
    }


def netx_table(network: NetxNetwork) -> RenderableType:
    """One row for each block: synapses, neurons, their parameters."""
    table = plain_table(footer=True)
    table.add_column("layer", footer="all layers", no_wrap=True)
    table.add_column("synapses")
    table.add_column("shape", justify="right")
    table.add_column("neurons", footer=f"{sum(block.size for block in network.blocks):,}", justify="right")
    for title in ("threshold", "u decay", "v decay", "bias", "weights"):
        table.add_column(title, justify="right")
    for block in network.blocks:
        neurons = block.neurons
        table.add_row(
            block.name,
            synapses(block),
            wording.shape(block.shape),
            f"{block.size:,}",
            "readout" if neurons.is_readout else f"{neurons.threshold:,}",
            f"{neurons.current_decay:,}",
            f"{neurons.voltage_decay:,}",
            "input" if block.connections is None else _range(neurons.bias),
            "-" if block.connections is None else _range(block.connections.weight),
        )
    return Group("", table, Text("decays in 4096ths a step; thresholds and biases are mantissas", style="dim"))


def netx_run_table(network: NetxNetwork, result: NetxResult, schedule: NetxSchedule) -> RenderableType:
    """One row for each block: spikes and synaptic operations, for one sample on average."""
    table = plain_table(footer=True)
    operations = count_netx_operations(network, result)
    spikes = [int(counts.sum()) for counts in result.spike_counts]
    samples = result.samples
    table.add_column("layer", footer="all layers", no_wrap=True)
    table.add_column("neurons", footer=f"{sum(block.size for block in network.blocks):,}", justify="right")
    table.add_column("spikes", footer=wording.whole(sum(spikes) / samples), justify="right")
    table.add_column("rate", justify="right")
    table.add_column("synaptic operations", footer=wording.whole(sum(operations) / samples), justify="right")
    for block, fired, done in zip(network.blocks, spikes, operations, strict=True):
        table.add_row(
            block.name,
            f"{block.size:,}",
            wording.whole(fired / samples),
            f"{100 * fired / (block.size * schedule.timesteps * samples):.1f} %",
            wording.whole(done / samples) if block.connections else "",
        )
    legend = "for one sample on average; rate: share of neurons and steps with a spike"
    return Group("", table, Text(legend, style="dim"))


def schedule_sentence(schedule: NetxSchedule) -> str:
    """``T = 16, each sample from rest``."""
    if schedule.separates_samples:
        return f"T = {schedule.timesteps:,}, each sample from rest"
    if schedule.reset_interval is None:
        return f"T = {schedule.timesteps:,}, one stream without resets"
    return (
        f"T = {schedule.timesteps:,}, one stream with resets once in {schedule.reset_interval:,} steps, "
        f"offset {schedule.reset_offset:,}"
    )


def input_sentence(network: NetxNetwork) -> str:
    """``input 3×16×16 (biases 36 * value + 34), T = 64``."""
    text = f"input {wording.shape(network.input_shape)}"
    if network.transform is None:
        text += " (spikes, or numbers with --input-bits)"
    else:
        text += f" (biases {network.transform.weight} * value + {network.transform.bias})"
    return text if network.timesteps is None else f"{text}, T = {network.timesteps:,}"


def output_sentence(network: NetxNetwork) -> str:
    """What the last block's neurons tell."""
    last = network.blocks[-1]
    by = "membrane potentials" if last.neurons.is_readout else "numbers of spikes"
    if network.outputs is None:
        return f"{last.size:,} outputs, {by}"
    return f"{network.outputs:,} outputs, {by} of {last.size // network.outputs:,} neurons each"


def synapses(block: Block) -> str:
    """``conv 5×5, 3→24, stride 2``, with delays behind it."""
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


def _range(values: NDArray[np.int32]) -> str:
    low, high = int(values.min()), int(values.max())
    return f"{low:,}" if low == high else f"{low:,} .. {high:,}"
