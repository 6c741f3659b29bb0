"""A network to netx HDF5."""

from __future__ import annotations

import hashlib
import io
from functools import singledispatch
from pathlib import Path

import h5py
import numpy as np

from snnc.common.atomic_write import write_whole
from snnc.program.form import Form, to_form
from snnc.program.net.chain import REFRACTORY_DELAY, VOLTAGE_DECAY, NetxChainWriter, current_decay, fired_above
from snnc.program.net.fields import GROUP, LAYERS, write_dataset, write_text
from snnc.program.net.hdf5_safety import Admitted
from snnc.program.net.head import write_head
from snnc.program.net.sigma_delta import write_sigma_delta
from snnc.program.net.stored import LAYER, SYNAPSE, pack_membrane, write
from snnc.program.network import CompiledNetwork
from snnc.program.program import Program
from snnc.program.sigma_delta import SigmaDeltaProgram
from snnc.program.targets import get_target
from snnc.program.validate import validate

FORMAT_VERSION = 1


def save(program: CompiledNetwork, path: str | Path) -> None:
    """Write a network as a .net file: whole, or not at all.

    Equal networks give equal bytes: nothing in the file depends on the time, the path or the machine.

    Args:
        program: The network.
        path: The file; one that exists is replaced.

    Raises:
        FormatError: The network contradicts itself, so that no reader would take the file.
        OutputError: The file cannot be written; what was there before is still there.
    """
    write_whole(path, to_bytes(program, str(path)))


def to_bytes(program: CompiledNetwork, where: str = "program") -> bytes:
    """Return the content of the .net file.

    Args:
        program: The network.
        where: What errors call it.

    Raises:
        FormatError: The network contradicts itself.
    """
    validate(program, where)
    buffer = io.BytesIO()
    # The earliest format that holds everything: h5py of any Python then writes and reads the same.
    with h5py.File(buffer, "w", libver="earliest", track_order=False) as file:
        # HDF5 lays things out in the order of their creation: ours comes after what netx reads.
        _write(program, file.create_group(LAYERS), file)
        # Sizes and numbers of entries, which only a file has.
        Admitted(where, advice=None).check(file)
    return buffer.getvalue()


def identity(program: CompiledNetwork) -> str:
    """Return the SHA-256 of the .net file, in hexadecimal digits: equal for equal networks alone."""
    return hashlib.sha256(to_bytes(program)).hexdigest()


@singledispatch
def _write(program: CompiledNetwork, netx: h5py.Group, file: h5py.File) -> None:
    """Write a network into an empty file; registered for each kind of neuron."""
    raise NotImplementedError(f"no file format is registered for {type(program).__name__}")


@_write.register
def _write_sigma_delta(program: SigmaDeltaProgram, netx: h5py.Group, file: h5py.File) -> None:
    write_sigma_delta(netx, file.create_group(GROUP), program)


@_write.register
def _write_spiking(program: Program, netx: h5py.Group, file: h5py.File) -> None:
    _write_netx(netx, program)
    group, form = file.create_group(GROUP), to_form(program)
    write_head(group, form, FORMAT_VERSION)
    layers = group.create_group("layers")
    for index, layer in enumerate(form["layers"]):
        _write_layer(layers.create_group(str(index)), layer, is_on_chain=index in program.chain)


def _write_netx(netx: h5py.Group, program: Program) -> None:
    """Write the part of the network that netx can load: the chain."""
    target = get_target(program.target)
    chain = NetxChainWriter(netx, program.coding)
    for layer in (program.layers[each] for each in program.chain):
        synapse = layer.synapses[0]
        neuron = chain.add(synapse, program.source_shape(synapse.source), layer.shape).create_group("neuron")
        write_text(neuron, "type", "CUBA")
        write_dataset(neuron, "iDecay", np.int64(current_decay(layer)))
        write_dataset(neuron, "vDecay", np.int64(VOLTAGE_DECAY))
        write_dataset(neuron, "vThMant", np.int64(fired_above(layer, target)))
        write_dataset(neuron, "refDelay", np.int64(REFRACTORY_DELAY))


def _write_layer(group: h5py.Group, form: Form, *, is_on_chain: bool) -> None:
    write(group, LAYER, pack_membrane(form))
    synapses = group.create_group("synapses")
    for index, synapse in enumerate(form["synapses"]):
        entry = synapses.create_group(str(index))
        entry.attrs["source"] = np.int64(synapse["source"])
        if index or not is_on_chain:
            # Groups are those of convolutions.
            table = SYNAPSE if synapse["kind"] == "conv" else [each for each in SYNAPSE if each.name != "groups"]
            write(entry, table, synapse)
        elif synapse["kind"] == "conv":
            # netx has the rest.
            entry.attrs["groups"] = np.int64(synapse["groups"])
