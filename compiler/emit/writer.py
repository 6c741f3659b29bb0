"""Program to netx HDF5."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path

import h5py
import numpy as np

from snnc.compiler.emit.grouping import joined_groups
from snnc.compiler.emit.layout import (
    FORMAT_VERSION,
    GROUP,
    LAYERS,
    REFRACTORY_DELAY,
    VOLTAGE_DECAY,
    current_decay,
    fired_above,
)
from snnc.compiler.program import Layer, Program, Synapse
from snnc.whole_file import write_whole


def save(program: Program, path: str | Path) -> None:
    """Writes a program as a .net file: whole, or not at all.

    Equal programs give equal bytes: nothing in the file depends on the time, the path or the machine.

    Args:
        program: The program.
        path: The file; one that exists is replaced.

    Raises:
        OutputError: The file cannot be written; what was there before is still there.
    """
    write_whole(path, to_bytes(program))


def to_bytes(program: Program) -> bytes:
    """The content of the .net file."""
    buffer = io.BytesIO()
    # The earliest format that holds everything: h5py of any Python then writes and reads the same.
    with h5py.File(buffer, "w", libver="earliest", track_order=False) as file:
        netx = file.create_group(LAYERS)
        _write_netx(netx, program)
        _write_snnc(file.create_group(GROUP), program)
    return buffer.getvalue()


# Of gzip: the highest takes twenty times as long for one part in a hundred.
LEVEL = 4


def _dataset(group: h5py.Group, name: str, value: object) -> None:
    data = np.asarray(value)
    # Small arrays grow when compressed.
    options = {"compression": "gzip", "compression_opts": LEVEL, "shuffle": True} if data.size > 256 else {}
    group.create_dataset(name, data=data, track_times=False, **options)


def _text(group: h5py.Group, name: str, value: str) -> None:
    """A string as netx reads it: one fixed-length ASCII entry."""
    group.create_dataset(name, (1,), "S10", data=[value.encode("ascii")], track_times=False)


def _string(group: h5py.Group, name: str, value: str) -> None:
    """A string of fixed length: those of variable length lie in a heap, in which a damaged file makes HDF5 hang."""
    group.attrs[name] = np.bytes_(value.encode("utf-8"))


def _json(group: h5py.Group, name: str, value: object) -> None:
    """A structure of any size: an attribute ends at 64 KiB."""
    data = json.dumps(value, sort_keys=True).encode("ascii")
    group.create_dataset(name, (1,), f"S{len(data)}", data=[data], track_times=False)


def _write_netx(netx: h5py.Group, program: Program) -> None:
    """The part of the network that netx can load: the chain."""
    entries = netx.create_group("0")
    _text(entries, "type", "input")
    _dataset(entries, "shape", np.array(program.coding.shape, np.int64))
    index = 1
    for layer in (program.layers[each] for each in program.chain):
        synapse = layer.synapses[0]
        source = program.source_shape(synapse.source)
        if synapse.kind == "dense" and len(source) > 1:
            group = netx.create_group(str(index))
            _text(group, "type", "flatten")
            _dataset(group, "shape", np.array([int(np.prod(source))], np.int64))
            index += 1
        _write_netx_layer(netx.create_group(str(index)), layer, synapse, source)
        index += 1


def _write_netx_layer(group: h5py.Group, layer: Layer, synapse: Synapse, source: tuple[int, ...]) -> None:
    _text(group, "type", synapse.kind)
    _dataset(group, "shape", np.array(layer.shape, np.int64))
    if synapse.kind == "conv":
        weight, groups = joined_groups(synapse.weight, synapse.groups)
        _dataset(group, "weight", weight)
        _dataset(group, "inChannels", np.int64(source[0]))
        _dataset(group, "outChannels", np.int64(layer.shape[0]))
        _dataset(group, "kernelSize", np.array(weight.shape[2:], np.int64))
        _dataset(group, "stride", np.array(synapse.stride, np.int64))
        _dataset(group, "padding", np.array(synapse.padding, np.int64))
        _dataset(group, "dilation", np.array(synapse.dilation, np.int64))
        _dataset(group, "groups", np.int64(groups))
    else:
        _dataset(group, "weight", synapse.weight)
        _dataset(group, "inFeatures", np.int64(synapse.weight.shape[1]))
        _dataset(group, "outFeatures", np.int64(synapse.weight.shape[0]))
    neuron = group.create_group("neuron")
    _text(neuron, "type", "CUBA")
    _dataset(neuron, "iDecay", np.int64(current_decay(layer)))
    _dataset(neuron, "vDecay", np.int64(VOLTAGE_DECAY))
    _dataset(neuron, "vThMant", np.int64(fired_above(layer)))
    _dataset(neuron, "refDelay", np.int64(REFRACTORY_DELAY))


def _write_snnc(group: h5py.Group, program: Program) -> None:
    group.attrs["format_version"] = np.int64(FORMAT_VERSION)
    _string(group, "target", program.target)
    group.attrs["timesteps"] = np.int64(program.timesteps)
    if program.lead:
        group.attrs["lead"] = np.int64(program.lead)
    _json(group, "provenance", asdict(program.provenance))
    _json(group, "ann", [[layer.module, layer.macs] for layer in program.ann])
    coding = group.create_group("coding")
    _string(coding, "kind", program.coding.kind)
    coding.attrs["divisor"] = np.int64(program.coding.divisor)
    coding.attrs["highest"] = np.int64(program.coding.highest)
    _dataset(coding, "shape", np.array(program.coding.shape, np.int64))
    for name in ("unit", "offset", "scale", "shift"):
        _dataset(coding, name, getattr(program.coding, name))
    layers = group.create_group("layers")
    for index, layer in enumerate(program.layers):
        _write_layer(layers.create_group(str(index)), layer, is_on_chain=index in program.chain)


def _write_layer(group: h5py.Group, layer: Layer, *, is_on_chain: bool) -> None:
    _string(group, "name", layer.name)
    _json(group, "modules", layer.modules)
    _dataset(group, "shape", np.array(layer.shape, np.int64))
    _dataset(group, "bias", layer.bias)
    _dataset(group, "scale", layer.scale)
    group.attrs["initial_potential"] = np.int64(layer.initial_potential)
    if layer.memoryless:
        group.attrs["memoryless"] = np.int64(1)
    if layer.threshold is not None:
        group.attrs["threshold"] = np.array([layer.threshold.mantissa, layer.threshold.exponent], np.int64)
    if layer.gate is not None:
        gate = (layer.gate.pulse.mantissa, layer.gate.pulse.exponent, layer.gate.count)
        group.attrs["gate"] = np.array(gate, np.int64)
    group.attrs["membrane_proven"] = np.array(layer.membrane.proven, np.int64)
    if layer.membrane.measured is not None:
        group.attrs["membrane_measured"] = np.array([*layer.membrane.measured, layer.membrane.samples], np.int64)
    synapses = group.create_group("synapses")
    for index, synapse in enumerate(layer.synapses):
        entry = synapses.create_group(str(index))
        entry.attrs["source"] = np.int64(synapse.source)
        if index or not is_on_chain:
            _write_synapse(entry, synapse)
        elif synapse.kind == "conv":
            # netx has the rest.
            entry.attrs["groups"] = np.int64(synapse.groups)


def _write_synapse(group: h5py.Group, synapse: Synapse) -> None:
    """A synapse that netx has no place for; what is not there is the default."""
    _string(group, "kind", synapse.kind)
    _dataset(group, "weight", synapse.weight)
    if synapse.exponent:
        group.attrs["exponent"] = np.int64(synapse.exponent)
    if synapse.hold:
        group.attrs["hold"] = np.int64(synapse.hold)
    if synapse.kind == "conv":
        _dataset(group, "stride", np.array(synapse.stride, np.int64))
        _dataset(group, "padding", np.array(synapse.padding, np.int64))
        _dataset(group, "dilation", np.array(synapse.dilation, np.int64))
        _dataset(group, "groups", np.int64(synapse.groups))
    if synapse.entries is not None:
        _dataset(group, "row_starts", synapse.entries.row_starts)
        _dataset(group, "columns", synapse.entries.columns)
