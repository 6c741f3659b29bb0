"""A network as plain data: JSON, and arrays that it refers to by their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from snnc.compiler.program import Program
from snnc.runtime.lava.input_stream import message_bits
from snnc.runtime.lava.recorded_network import RecordedNetwork

Arrays = dict[str, NDArray[Any]]


def describe(program: Program, network: RecordedNetwork) -> tuple[dict[str, Any], Arrays]:
    """What it takes to build a network, to feed it and to know where its spikes stand.

    Args:
        program: The program.
        network: Its network, written down.

    Returns:
        What becomes JSON, and the arrays.
    """
    arrays: Arrays = {}
    schedule, populations = network.schedule, network.populations
    readout = len(program.layers) - 1
    form = {
        "target": program.target,
        "timesteps": program.timesteps,
        "lead": program.lead,
        "interval": schedule.interval,
        # Steps that the last sample takes beyond its interval.
        "tail": schedule.steps - schedule.interval,
        "input": {
            "process": populations[-1].process.number,
            "shape": list(populations[-1].shape),
            "message_bits": message_bits(program),
        },
        "layers": [
            {
                "name": layer.name,
                "process": populations[index].process.number,
                "shape": list(populations[index].shape),
                # Counted from 0, as all steps here are.
                "first_step": schedule.window(program.depths[index] + program.lead_of(index), 0).start,
            }
            for index, layer in enumerate(program.spiking_layers)
        ],
        "readout": {
            "name": program.readout.name,
            "process": populations[readout].process.number,
            "shape": list(populations[readout].shape),
            "offset": schedule.read_offset,
            "skipped": schedule.reads_before,
            # The potential is held shifted left by so many bits.
            "fraction_bits": 6,
        },
        "processes": [
            {"kind": each.kind, "options": _options(each.number, each.options, arrays)}
            for each in network.parts.processes
        ],
        "connections": [
            {
                "source": each.source,
                "source_port": each.source_port,
                "rearranged": [[name, list(axes)] for name, axes in each.rearranged],
                "target": each.target,
                "target_port": each.target_port,
            }
            for each in network.parts.connections
        ],
    }
    return form, arrays


def _options(number: int, options: Mapping[str, Any], arrays: Arrays) -> dict[str, Any]:
    return {name: _value(f"{number}.{name}", value, arrays) for name, value in options.items()}


def _value(name: str, value: Any, arrays: Arrays) -> Any:
    if isinstance(value, csr_matrix):
        for part in ("data", "indices", "indptr"):
            arrays[f"{name}.{part}"] = getattr(value, part)
        return {"matrix": name, "shape": [int(size) for size in value.shape]}
    if isinstance(value, np.ndarray):
        arrays[name] = value
        return {"array": name}
    if isinstance(value, tuple):
        return [int(each) for each in value]
    return value if isinstance(value, str) else int(value)
