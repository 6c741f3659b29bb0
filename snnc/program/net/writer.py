"""Program to netx HDF5."""

from __future__ import annotations

import io
from functools import singledispatch
from pathlib import Path

import h5py
import numpy as np

from snnc.common.atomic_write import write_whole
from snnc.program.layer import Layer, Synapse
from snnc.program.net.chain import NetxChainWriter
from snnc.program.net.form import (
    FORMAT_VERSION,
    GROUP,
    LAYERS,
    REFRACTORY_DELAY,
    VOLTAGE_DECAY,
    current_decay,
    fired_above,
    write_dataset,
    write_json,
    write_string,
    write_text,
)
from snnc.program.net.head import write_head
from snnc.program.net.sigma_delta import write_sigma_delta
from snnc.program.network import CompiledNetwork, file_format
from snnc.program.program import Program
from snnc.program.sigma_delta import SigmaDeltaProgram


@file_format
def save(program: CompiledNetwork, path: str | Path) -> None:
    """Writes a program as a .net file: whole, or not at all.

    Equal programs give equal bytes: nothing in the file depends on the time, the path or the machine.

    Args:
        program: The program.
        path: The file; one that exists is replaced.

    Raises:
        OutputError: The file cannot be written; what was there before is still there.
    """
    write_whole(path, to_bytes(program))


def to_bytes(program: CompiledNetwork) -> bytes:
    """The content of the .net file."""
    buffer = io.BytesIO()
    # The earliest format that holds everything: h5py of any Python then writes and reads the same.
    with h5py.File(buffer, "w", libver="earliest", track_order=False) as file:
        _write(program, file)
    return buffer.getvalue()


@singledispatch
def _write(program: CompiledNetwork, file: h5py.File) -> None:
    """Write a network into an empty file; registered for each kind of neuron."""
    raise NotImplementedError(f"no file format is registered for {type(program).__name__}")


@_write.register(Program)
def _write_spiking(program: Program, file: h5py.File) -> None:
    # HDF5 lays things out in the order of their creation: ours comes behind what netx reads.
    _write_netx(file.create_group(LAYERS), program)
    _write_snnc(file.create_group(GROUP), program)


@_write.register(SigmaDeltaProgram)
def _write_sigma_delta(program: SigmaDeltaProgram, file: h5py.File) -> None:
    netx = file.create_group(LAYERS)
    write_sigma_delta(netx, file.create_group(GROUP), program)


def _write_netx(netx: h5py.Group, program: Program) -> None:
    """The part of the network that netx can load: the chain."""
    chain = NetxChainWriter(netx, program.coding)
    for layer in (program.layers[each] for each in program.chain):
        synapse = layer.synapses[0]
        neuron = chain.add(synapse, program.source_shape(synapse.source), layer.shape).create_group("neuron")
        write_text(neuron, "type", "CUBA")
        write_dataset(neuron, "iDecay", np.int64(current_decay(layer)))
        write_dataset(neuron, "vDecay", np.int64(VOLTAGE_DECAY))
        write_dataset(neuron, "vThMant", np.int64(fired_above(layer)))
        write_dataset(neuron, "refDelay", np.int64(REFRACTORY_DELAY))


def _write_snnc(group: h5py.Group, program: Program) -> None:
    lead = {"lead": program.lead} if program.lead else {}
    write_head(group, program, FORMAT_VERSION, timesteps=program.timesteps, **lead)
    layers = group.create_group("layers")
    for index, layer in enumerate(program.layers):
        _write_layer(layers.create_group(str(index)), layer, is_on_chain=index in program.chain)


def _write_layer(group: h5py.Group, layer: Layer, *, is_on_chain: bool) -> None:
    write_string(group, "name", layer.name)
    write_json(group, "modules", layer.modules)
    write_dataset(group, "shape", np.array(layer.shape, np.int64))
    write_dataset(group, "bias", layer.bias)
    write_dataset(group, "scale", layer.scale)
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
    write_string(group, "kind", synapse.kind)
    write_dataset(group, "weight", synapse.weight)
    if synapse.exponent:
        group.attrs["exponent"] = np.int64(synapse.exponent)
    if synapse.hold:
        group.attrs["hold"] = np.int64(synapse.hold)
    if synapse.kind == "conv":
        write_dataset(group, "stride", np.array(synapse.stride, np.int64))
        write_dataset(group, "padding", np.array(synapse.padding, np.int64))
        write_dataset(group, "dilation", np.array(synapse.dilation, np.int64))
        write_dataset(group, "groups", np.int64(synapse.groups))
    if synapse.entries is not None:
        write_dataset(group, "row_starts", synapse.entries.row_starts)
        write_dataset(group, "columns", synapse.entries.columns)
