"""Packing a network, samples and what the simulator makes of them for a laboratory that has no snnc."""

from __future__ import annotations

import gzip
import io
import json
import re
import tarfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from snnc.common.atomic_write import write_whole
from snnc.common.errors import BackendError
from snnc.program import Program
from snnc.program.net import identity
from snnc.runtime.energy import count_operations, estimate_energy
from snnc.runtime.lava.population import Population, input_events, message_bits
from snnc.runtime.lava.recorded import RecordedNetwork, record_network
from snnc.runtime.result import RunResult

FOLDER = "snnc-lab"
# Of gzip: the highest takes much longer and saves little.
LEVEL = 6


def to_archive(members: Mapping[str, bytes]) -> bytes:
    """Return a .tar.gz of plain files in one folder: no times, no owners, no links.

    Args:
        members: Their content by their path in the folder, the folders of which are written with ``/``.
    """
    assert all(re.fullmatch(r"(\w+/)*\w+\.\w+", name, re.ASCII) for name in members)
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=LEVEL, fileobj=packed, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, content in members.items():
            member = tarfile.TarInfo(f"{FOLDER}/{name}")
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


SCRIPT = "run_lab.py"
# What the package of the script is called here, and in a bundle.
HOME, PACKAGE = "snnc.runtime.hardware.lab_script", "snnc_lab"


def script_members() -> dict[str, bytes]:
    """Return the script and its package by their paths, as they run where there is no snnc."""
    sources = sorted((each for each in files(HOME).iterdir() if each.name.endswith(".py")), key=lambda each: each.name)
    return {
        each.name if each.name == SCRIPT else f"{PACKAGE}/{each.name}": each.read_bytes().replace(
            HOME.encode(), PACKAGE.encode()
        )
        for each in sources
    }


Arrays = dict[str, NDArray[Any]]


def describe(program: Program, network: RecordedNetwork) -> tuple[dict[str, Any], Arrays]:
    """Return what it takes to build a network, to feed it and to know where its spikes stand.

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
    """Write a bundle: whole, or not at all. Equal input gives equal bytes.

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
    """Return the files of a bundle; for the arguments see :func:`write_bundle`."""
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
        "network": identity(program),
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
    """Return input and expectations, in the order in which Lava has the neurons."""
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
    """Return (samples, steps, *layer shape) as (samples, steps, neurons) in Lava's order."""
    return values.reshape(*values.shape[:2], -1)[..., population.order]


def _estimates(program: Program, expected: RunResult) -> dict[str, Any]:
    """Return what a sample costs by snnc's estimates."""
    counts = count_operations(program, expected)
    return {
        "synaptic_operations": counts.synaptic_total / counts.samples,
        "energy": [
            {"model": each.model.name, "snn_joules": each.snn, "ann_joules": each.ann}
            for each in estimate_energy(program, counts)
        ],
    }


def _npz(arrays: Arrays) -> bytes:
    """Return arrays as an .npz file, which is not compressed, since the archive is."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()
