"""SigmaDeltaProgram to netx HDF5."""

from __future__ import annotations

import h5py
import numpy as np
from numpy.typing import NDArray

from snnc.program.coding import InputCoding
from snnc.program.net.chain import NetxChainWriter
from snnc.program.net.form import SIGMA_DELTA_VERSION, Fields, write_dataset, write_json, write_string, write_text
from snnc.program.net.head import read_ann, read_coding, read_provenance, read_shape, write_head
from snnc.program.net.layers import NetxChain, read_membrane, read_modules, read_scale
from snnc.program.net.synapses import MESSAGE_WEIGHTS, read_convolution, read_dense
from snnc.program.sigma_delta import ACTIVATION_LIMIT, BIAS_UNIT, STATE_LIMIT, SigmaDeltaLayer, SigmaDeltaProgram
from snnc.program.targets import SIGMA_DELTA

DELTA_THRESHOLD_MAXIMUM = ACTIVATION_LIMIT // BIAS_UNIT - 1
BIAS_MAXIMUM = STATE_LIMIT // BIAS_UNIT


def read_sigma_delta(own: Fields, netx: Fields) -> SigmaDeltaProgram:
    """Reads a program whose neurons are sigma-delta neurons.

    Args:
        own: The group ``snnc``.
        netx: The group ``layer``.

    Raises:
        FormatError: The file contradicts itself.
    """
    coding = read_coding(own.group("coding"))
    if coding.kind != "graded" or coding.divisor != 1:
        raise own.error("the input of sigma-delta neurons is spread over steps", expected="graded, divisor 1")
    program = SigmaDeltaProgram(
        target=own.choice("target", "loihi2"),
        coding=coding,
        layers=_layers(own.group("layers"), netx, coding),
        ann=read_ann(own),
        provenance=read_provenance(own),
    )
    own.finish()
    return program


def _layers(own: Fields, netx: Fields, coding: InputCoding) -> tuple[SigmaDeltaLayer, ...]:
    chain = NetxChain(netx, coding)
    if _threshold(chain.input) != 0:
        raise chain.input.error("the input holds changes back, or is a readout")
    chain.input.finish()
    described = own.groups()
    if not described:
        raise own.error("there is no layer")
    layers: list[SigmaDeltaLayer] = []
    shape = coding.shape
    for index, fields in enumerate(described):
        layers.append(_layer(fields, chain, index, shape, is_readout=index == len(described) - 1))
        shape = layers[-1].shape
    chain.finish()
    return tuple(layers)


def _layer(own: Fields, chain: NetxChain, index: int, read: tuple[int, ...], *, is_readout: bool) -> SigmaDeltaLayer:
    shape = read_shape(own)
    entry = chain.next(read, shape)
    source = index - 1
    kind = entry.choice("type", "conv", "dense")
    read_synapse = read_convolution if kind == "conv" else read_dense
    synapse = read_synapse(own, entry, source, read, shape, MESSAGE_WEIGHTS)
    if synapse.groups != 1:
        raise own.error("groups leave no place for the channel of constants", expected="1", found=str(synapse.groups))
    delta_threshold = _threshold(entry)
    if (delta_threshold is None) != is_readout:
        raise entry.error("only the last layer is a readout, and it has to be one")
    layer = SigmaDeltaLayer(
        name=own.text("name"),
        modules=read_modules(own),
        shape=shape,
        synapse=synapse,
        bias=np.zeros(shape[0], np.int32) if is_readout else _bias(entry, shape),
        delta_threshold=delta_threshold,
        scale=read_scale(own, shape),
        membrane=read_membrane(own),
        has_constant=not is_readout,
    )
    own.finish()
    entry.finish()
    return layer


def _bias(entry: Fields, shape: tuple[int, ...]) -> NDArray[np.int32]:
    return entry.integers("bias", (shape[0],), -BIAS_MAXIMUM, BIAS_MAXIMUM).astype(np.int32)


def _threshold(entry: Fields) -> int | None:
    """The delta threshold of an entry's neurons; None where they are a readout."""
    neuron = entry.group("neuron")
    neuron.choice("type", "SDNN")
    threshold = None
    if neuron.has("sigma_output"):
        neuron.integer("sigma_output", 1, 1)
    else:
        threshold = neuron.integer("vThMant", 0, DELTA_THRESHOLD_MAXIMUM)
    neuron.finish()
    return threshold


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
