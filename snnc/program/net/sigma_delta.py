"""SigmaDeltaProgram as netx HDF5, and back."""

from __future__ import annotations

import h5py
import numpy as np

from snnc.program.form import Form, to_form
from snnc.program.net.chain import NetxChainWriter
from snnc.program.net.fields import Fields, write_dataset, write_string, write_text
from snnc.program.net.head import read_head, write_head
from snnc.program.net.layers import NetxChain
from snnc.program.net.stored import (
    LAYER,
    NUMBER_MAXIMUM,
    chosen,
    pack_membrane,
    read,
    read_shape,
    unpack_membrane,
    write,
)
from snnc.program.net.synapses import read_synapse
from snnc.program.sigma_delta import SigmaDeltaProgram
from snnc.program.targets import SIGMA_DELTA

# Files of sigma-delta neurons, which snnc could not read at first.
SIGMA_DELTA_VERSION = 2

# What the snnc group has of a layer; netx has the rest.
_DESCRIPTION = chosen(LAYER, "name", "modules", "shape", "scale")
_MEMBRANE = chosen(LAYER, "membrane_proven", "membrane_measured")


def read_sigma_delta(own: Fields, netx: Fields) -> Form:
    """Read the form of a network of sigma-delta neurons.

    Args:
        own: The group ``snnc``.
        netx: The group ``layer``.

    Raises:
        FormatError: A field is missing, or of another type or shape.
    """
    neuron = own.choice("neuron", SIGMA_DELTA)
    form = read_head(own)
    form |= {"neuron": neuron, "layers": _layers(own.group("layers"), netx, tuple(form["coding"]["shape"]))}
    own.finish()
    return form


def _layers(own: Fields, netx: Fields, input_shape: tuple[int, ...]) -> list[Form]:
    chain = NetxChain(netx, input_shape)
    if _threshold(chain.input) != 0:
        raise chain.input.error("the input holds changes back, or is a readout")
    chain.input.finish()
    described = own.groups()
    if not described:
        raise own.error("there is no layer")
    layers: list[Form] = []
    shape = input_shape
    for index, fields in enumerate(described):
        layers.append(_layer(fields, chain, index - 1, shape))
        shape = tuple(layers[-1]["shape"])
    chain.finish()
    return layers


def _layer(own: Fields, chain: NetxChain, source: int, from_shape: tuple[int, ...]) -> Form:
    shape = read_shape(own)
    entry = chain.next(from_shape, shape)
    synapse = read_synapse(own, entry, source, from_shape, shape)
    threshold = _threshold(entry)
    form: Form = {"shape": list(shape), "synapses": [synapse], "delta_threshold": threshold}
    form |= read(own, chosen(LAYER, "name", "modules", "scale"), {"scale": (shape[0],)})
    form |= unpack_membrane(read(own, _MEMBRANE, {}))
    if threshold is not None:
        form |= read(entry, chosen(LAYER, "bias"), {"bias": (shape[0],)})
    own.finish()
    entry.finish()
    return form


def _threshold(entry: Fields) -> int | None:
    """Return the delta threshold of an entry's neurons; None where they are a readout."""
    neuron = entry.group("neuron")
    neuron.choice("type", "SDNN")
    threshold = None
    if neuron.has("sigma_output"):
        neuron.integer("sigma_output", 1, 1)
    else:
        threshold = neuron.integer("vThMant", -NUMBER_MAXIMUM, NUMBER_MAXIMUM)
    neuron.finish()
    return threshold


def write_sigma_delta(netx: h5py.Group, own: h5py.Group, program: SigmaDeltaProgram) -> None:
    """Write a network: netx has all that runs, our group what its numbers stand for.

    Args:
        netx: The group ``layer``.
        own: The group ``snnc``.
        program: The network.
    """
    form = to_form(program)
    write_head(own, form, SIGMA_DELTA_VERSION)
    write_string(own, "neuron", form["neuron"])
    chain = NetxChainWriter(netx, program.coding)
    _write_neuron(chain.input, 0)
    described = own.create_group("layers")
    for index, (layer, fields) in enumerate(zip(program.layers, form["layers"], strict=True)):
        entry = chain.add(layer.synapse, program.source_shape(index - 1), layer.shape)
        _write_neuron(entry, layer.delta_threshold)
        group = described.create_group(str(index))
        write(group, _DESCRIPTION, fields)
        if layer.synapse.kind == "conv":
            group.attrs["groups"] = np.int64(layer.synapse.groups)
        write(group, _MEMBRANE, pack_membrane(fields))
        if layer.delta_threshold is not None:
            write(entry, chosen(LAYER, "bias"), fields)


def _write_neuron(entry: h5py.Group, delta_threshold: int | None) -> None:
    neuron = entry.create_group("neuron")
    write_text(neuron, "type", "SDNN")
    if delta_threshold is None:
        # netx looks whether it is there: the neurons are then Sigma, whose output is their sum.
        write_dataset(neuron, "sigma_output", np.int64(1))
    else:
        write_dataset(neuron, "vThMant", np.int64(delta_threshold))
