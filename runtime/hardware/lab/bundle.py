"""Packing a network, samples and what the simulator makes of them for a laboratory that has no snnc."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.emit.writer import to_bytes
from snnc.compiler.program import Program
from snnc.errors import BackendError
from snnc.runtime.energy import count_operations, estimate_energy
from snnc.runtime.hardware.lab.archive import FOLDER, to_archive
from snnc.runtime.hardware.lab.description import Arrays, describe
from snnc.runtime.hardware.lab.script import SCRIPT, script_members
from snnc.runtime.lava.input_stream import input_events
from snnc.runtime.lava.population import Population
from snnc.runtime.lava.recorded_network import RecordedNetwork, record_network
from snnc.runtime.result import RunResult
from snnc.whole_file import write_whole

FORMAT, VERSION = "snnc-lab", 1

README = f"""\
1. Unpack this where Python has Lava (pip install lava-nc), with Intel's lava-loihi for a board, and: cd {FOLDER}
2. python {SCRIPT} compares on Lava's CPU simulator; python {SCRIPT} --backend loihi2 on a board; --help lists the rest.
3. Send result.json back: snnc report --lab result.json shows it beside snnc's estimates.
"""


def write_bundle(
    program: Program,
    levels: NDArray[np.uint8],
    expected: RunResult,
    path: str | Path,
    *,
    data: str,
    labels: NDArray[np.int64] | None = None,
) -> None:
    """Writes a bundle: whole, or not at all. Equal input gives equal bytes.

    Args:
        program: The program.
        levels: Input levels, (samples, *input shape).
        expected: What the simulator makes of them, spikes recorded.
        path: The file; one that exists is replaced.
        data: What the samples are, in a word.
        labels: Their classes, where they are known.

    Raises:
        BackendError: A delay is longer than the target's synapses can hold spikes back, or a potential overflowed.
        OutputError: The file cannot be written.
    """
    write_whole(path, to_archive(bundle_members(program, levels, expected, data=data, labels=labels)))


def bundle_members(
    program: Program,
    levels: NDArray[np.uint8],
    expected: RunResult,
    *,
    data: str,
    labels: NDArray[np.int64] | None = None,
) -> dict[str, bytes]:
    """The files of a bundle; for the arguments see :func:`write_bundle`."""
    if any(expected.wraps or ()):
        raise BackendError(
            "a membrane potential overflows on these samples, so no chip need do what the simulator does",
            where=data,
            advice="compile the network again with data like these, or with a smaller T",
        )
    network = record_network(program)
    form, arrays = describe(program, network)
    head = {
        "format": FORMAT,
        "version": VERSION,
        "snnc": program.provenance.snnc,
        "network": hashlib.sha256(to_bytes(program)).hexdigest(),
        "data": data,
        "samples": len(levels),
        "estimates": _estimates(program, expected),
    }
    return {
        "README.txt": README.encode("ascii"),
        **script_members(),
        "network.json": json.dumps({**head, **form}, indent=1).encode("ascii"),
        "network.npz": _npz(arrays),
        "samples.npz": _npz(_samples(program, network, levels, expected, labels)),
    }


def _samples(
    program: Program,
    network: RecordedNetwork,
    levels: NDArray[np.uint8],
    expected: RunResult,
    labels: NDArray[np.int64] | None,
) -> Arrays:
    """Input and expectations, in the order in which Lava has the neurons."""
    assert expected.spikes is not None
    readout = network.populations[len(program.layers) - 1]
    arrays: Arrays = {
        "input": input_events(program, levels),
        "readout": _arranged(expected.readout[:, None], readout)[:, 0],
        # For each class where its readout stands.
        "classes": np.argsort(readout.order),
    }
    for index, spikes in enumerate(expected.spikes):
        trains = _arranged(spikes, network.populations[index])
        arrays[f"spikes.{index}"] = np.packbits(trains.reshape(len(trains), -1), axis=1)
    if labels is not None:
        arrays["labels"] = np.asarray(labels, np.int64)
    return arrays


def _arranged(values: NDArray[Any], population: Population) -> NDArray[Any]:
    """(samples, steps, *layer shape) as (samples, steps, neurons) in Lava's order."""
    return values.reshape(*values.shape[:2], -1)[..., population.order]


def _estimates(program: Program, expected: RunResult) -> dict[str, Any]:
    """What a sample costs by snnc's estimates."""
    counts = count_operations(program, expected)
    return {
        "synaptic_operations": counts.synaptic_total / counts.samples,
        "energy": [
            {"model": each.model.name, "snn_joules": each.snn, "ann_joules": each.ann}
            for each in estimate_energy(program, counts)
        ],
    }


def _npz(arrays: Arrays) -> bytes:
    """Not compressed, since the archive is."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()
