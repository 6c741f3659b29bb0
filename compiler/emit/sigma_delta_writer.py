"""SigmaDeltaProgram to netx HDF5."""

from __future__ import annotations

import h5py
import numpy as np

from snnc.compiler.emit.layout import SIGMA_DELTA_VERSION
from snnc.compiler.emit.write_chain import NetxChainWriter
from snnc.compiler.emit.write_fields import write_dataset, write_json, write_string, write_text
from snnc.compiler.emit.write_head import write_head
from snnc.compiler.program import SigmaDeltaProgram
from snnc.compiler.targets import SIGMA_DELTA


def write_sigma_delta(netx: h5py.Group, own: h5py.Group, program: SigmaDeltaProgram) -> None:
    """Writes a program: netx has all that runs, our group what its numbers stand for.

    Args:
        netx: The group ``layer``.
        own: The group ``snnc``.
        program: The program.
    """
    write_head(own, program, SIGMA_DELTA_VERSION)
    write_string(own, "neuron", SIGMA_DELTA)
    chain = NetxChainWriter(netx, program.coding)
    _write_neuron(chain.input, 0)
    described = own.create_group("layers")
    for index, layer in enumerate(program.layers):
        entry = chain.add(layer.synapse, program.source_shape(index - 1), layer.shape)
        _write_neuron(entry, layer.delta_threshold)
        group = described.create_group(str(index))
        write_string(group, "name", layer.name)
        write_json(group, "modules", layer.modules)
        write_dataset(group, "shape", np.array(layer.shape, np.int64))
        write_dataset(group, "scale", layer.scale)
        if layer.synapse.kind == "conv":
            group.attrs["groups"] = np.int64(layer.synapse.groups)
        group.attrs["membrane_proven"] = np.array(layer.membrane.proven, np.int64)
        if layer.membrane.measured is not None:
            measured = np.array([*layer.membrane.measured, layer.membrane.samples], np.int64)
            group.attrs["membrane_measured"] = measured
        if layer.delta_threshold is not None:
            write_dataset(entry, "bias", layer.bias)


def _write_neuron(entry: h5py.Group, delta_threshold: int | None) -> None:
    neuron = entry.create_group("neuron")
    write_text(neuron, "type", "SDNN")
    if delta_threshold is None:
        # netx looks whether it is there: the neurons are then Sigma, whose output is their sum.
        write_dataset(neuron, "sigma_output", np.int64(1))
    else:
        write_dataset(neuron, "vThMant", np.int64(delta_threshold))
