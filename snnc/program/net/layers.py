"""Layers out of a .net file, whose first synapses netx has where it can."""

from __future__ import annotations

import math
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from snnc.program.coding import InputCoding
from snnc.program.layer import EXPONENT_MAX, Bias, Gate, Layer, Membrane, Scaled, Synapse
from snnc.program.net.form import REFRACTORY_DELAY, VOLTAGE_DECAY, Fields, current_decay, fired_above
from snnc.program.net.head import read_shape
from snnc.program.net.synapses import read_hold, read_synapse

# Any membrane potential, and the largest bias.
STATE = 1 << 40
BIAS_MAXIMUM = 1 << 24


def read_layers(own: Fields, netx: Fields, coding: InputCoding, lead: int) -> tuple[tuple[Layer, ...], tuple[int, ...]]:
    """All layers in topological order, and the indices of those whose first synapse netx has.

    Args:
        own: The group ``snnc/layers``.
        netx: The group ``layer``.
        coding: What the input is.
        lead: Steps that a layer integrates before it may fire.
    """
    chain = NetxChain(netx, coding)
    chain.input.finish()
    described = own.groups()
    if not described:
        raise own.error("there is no layer")
    synapses = [fields.group("synapses").groups() for fields in described]
    sources = _sources(described, synapses, lead)
    on_chain = _chain(synapses, sources)
    layers: list[Layer] = []
    shapes = [coding.shape]
    for index, fields in enumerate(described):
        shape = read_shape(fields)
        entry = chain.next(shapes[sources[index][0] + 1], shape) if index in on_chain else None
        read = [
            read_synapse(each, None if position else entry, source, shapes[source + 1], shape)
            for position, (each, source) in enumerate(zip(synapses[index], sources[index], strict=True))
        ]
        layer = _layer(fields, shape, tuple(read), is_readout=index == len(described) - 1)
        if entry:
            _check_neuron(entry.group("neuron"), layer)
            entry.finish()
        layers.append(layer)
        shapes.append(layer.shape)
    chain.finish()
    return tuple(layers), on_chain


class NetxChain:
    """The entries of netx, one for each layer of the chain, with a flatten where an image becomes features.

    Args:
        netx: The group ``layer``.
        coding: What the input is.

    Attributes:
        input: The entry of the input, of which type and shape were read.
    """

    def __init__(self, netx: Fields, coding: InputCoding) -> None:
        self._netx = netx
        self._rest = netx.groups()
        self._taken = 0
        if not self._rest:
            raise netx.error("there is no layer")
        self.input = self._rest.pop(0)
        if self.input.text("type") != "input" or read_shape(self.input) != coding.shape:
            raise self.input.error("is not the input that the coding describes", expected=str(coding.shape))

    def next(self, read: tuple[int, ...], shape: tuple[int, ...]) -> Fields:
        """The entry of the next layer.

        Args:
            read: Shape of what the layer reads.
            shape: Its own.
        """
        flattened = bool(self._rest) and self._rest[0].has("type") and self._rest[0].text("type") == "flatten"
        if flattened:
            flatten = self._rest.pop(0)
            flatten.integers("shape", (1,), math.prod(read), math.prod(read))
            flatten.finish()
        if not self._rest:
            raise self._netx.error("there are fewer layers than described", found=str(self._taken))
        entry = self._rest.pop(0)
        self._taken += 1
        if read_shape(entry) != shape:
            raise entry.error("shape contradicts the snnc group", expected=str(shape))
        if flattened != (entry.choice("type", "conv", "dense") == "dense" and len(read) > 1):
            raise entry.error("a flatten is missing or superfluous")
        return entry

    def finish(self) -> None:
        """There must be no more entries."""
        if self._rest:
            raise self._netx.error("there are more layers than described", expected=str(self._taken))


def _sources(described: list[Fields], synapses: list[list[Fields]], lead: int) -> list[list[int]]:
    """What each synapse reads; every layer is read but for the last.

    The spikes of a layer's first synapse must arrive last: that is its place in the pipeline.
    """
    sources: list[list[int]] = []
    sends = [-1]
    for index, (fields, each) in enumerate(zip(described, synapses, strict=True)):
        if not each:
            raise fields.error("there is no synapse")
        sources.append([synapse.integer("source", -1, index - 1) for synapse in each])
        reached = [
            sends[source + 1] + 1 + read_hold(synapse) for source, synapse in zip(sources[-1], each, strict=True)
        ]
        if reached[0] != max(reached):
            raise each[0].error("the first synapse does not read the deepest layer")
        sends.append(reached[0] + (0 if fields.has("memoryless") else lead))
    everything = {source for each in sources for source in each}
    for index, fields in enumerate(described[:-1]):
        if index not in everything:
            raise fields.error("no layer reads its spikes")
    return sources


def _chain(synapses: list[list[Fields]], sources: list[list[int]]) -> tuple[int, ...]:
    """The layers whose first synapse is not stored beside the others, since netx has it."""
    path = [len(sources) - 1]
    while (source := sources[path[-1]][0]) >= 0:
        path.append(source)
    return tuple(takewhile(lambda index: not synapses[index][0].has("kind"), reversed(path)))


def _layer(own: Fields, shape: tuple[int, ...], synapses: tuple[Synapse, ...], *, is_readout: bool) -> Layer:
    memoryless = own.has("memoryless") and bool(own.integer("memoryless", 1, 1))
    potential = own.integer("initial_potential", 0, 0 if is_readout or memoryless else STATE)
    threshold = gate = None
    if is_readout:
        if own.has("threshold") or memoryless:
            raise own.error("the readout has a threshold, or is memoryless")
    else:
        threshold = _scaled(own, *own.integers("threshold", (2,), 0, 255).tolist())
        if not memoryless:
            *pulse, count = own.integers("gate", (3,), 0, 255).tolist()
            gate = Gate(_scaled(own, *pulse), count)
        if not 0 <= potential < threshold.value:
            raise own.error("initial potential is out of range", expected=f"0..{threshold.value - 1}")
    bias = _bias(own, shape)
    if memoryless and bias.any():
        raise own.error("a memoryless layer has a bias")
    modules, scale = read_modules(own), read_scale(own, shape)
    layer = Layer(
        name=own.text("name"),
        modules=modules,
        shape=shape,
        synapses=synapses,
        bias=bias,
        threshold=threshold,
        initial_potential=potential,
        gate=gate,
        scale=scale,
        membrane=read_membrane(own),
        memoryless=memoryless,
    )
    own.finish()
    return layer


def read_modules(own: Fields) -> tuple[str, ...]:
    """The PyTorch modules that went into a layer."""
    modules = own.json("modules")
    if not (isinstance(modules, list) and all(isinstance(module, str) for module in modules)):
        raise own.error("modules is not a list of names")
    return tuple(modules)


def read_scale(own: Fields, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """What one unit of a layer stands for, for each channel."""
    scale = own.floats("scale", (shape[0],))
    if not (scale > 0).all():
        raise own.error("scale is not positive")
    return scale


def _scaled(own: Fields, mantissa: int, exponent: int) -> Scaled:
    if exponent > EXPONENT_MAX:
        raise own.error("threshold or gate are out of range", expected=f"exponents 0..{EXPONENT_MAX}")
    return Scaled(mantissa, exponent)


def _bias(own: Fields, shape: tuple[int, ...]) -> Bias:
    bias_shape: tuple[int | None, ...] = (shape[0],)
    if len(shape) == 3:
        bias_shape = shape if own.shape_of("bias") == shape else (shape[0], 1, 1)
    return own.integers("bias", bias_shape, -BIAS_MAXIMUM, BIAS_MAXIMUM).astype(np.int32)


def read_membrane(own: Fields) -> Membrane:
    """The ranges of a layer's membrane potential, or of its sigma."""
    measured = None
    samples = 0
    if own.has("membrane_measured"):
        low, high, samples = own.integers("membrane_measured", (3,), -STATE, STATE).tolist()
        measured = (low, high)
    low, high = own.integers("membrane_proven", (2,), -STATE, STATE).tolist()
    return Membrane((low, high), measured, samples)


def _check_neuron(fields: Fields, layer: Layer) -> None:
    """Compares the neurons of netx with those that the snnc group describes."""
    fields.choice("type", "CUBA")
    for name, expected in (
        ("vThMant", fired_above(layer)),
        ("iDecay", current_decay(layer)),
        ("vDecay", VOLTAGE_DECAY),
        ("refDelay", REFRACTORY_DELAY),
    ):
        found = fields.integer(name, -STATE, STATE)
        if found != expected:
            raise fields.error(f"{name} contradicts the snnc group", expected=str(expected), found=str(found))
    fields.finish()
