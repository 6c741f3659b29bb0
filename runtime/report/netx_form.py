"""A netx file of lava-dl, and a run of it, as JSON objects."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.netx import Block, NetxNetwork
from snnc.runtime.netx.operations import synaptic_operations
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
                zip(network.blocks, result.spike_counts, synaptic_operations(network, result), strict=True)
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
