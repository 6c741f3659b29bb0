"""Layers out of a .net file, whose first synapses netx has where it can."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import takewhile

from snnc.program.form import Form
from snnc.program.layer import Layer
from snnc.program.net.chain import REFRACTORY_DELAY, VOLTAGE_DECAY, current_decay, fired_above
from snnc.program.net.fields import Fields
from snnc.program.net.stored import LAYER, NUMBER_MAXIMUM, Shape, chosen, needed, read, read_shape, unpack_membrane
from snnc.program.net.synapses import read_scaling, read_synapse
from snnc.program.targets import Target
from snnc.program.validate import check_order


class NetxChain:
    """The entries of netx, one for each layer of the chain, with a flatten where an image becomes features.

    Args:
        netx: The group ``layer``.
        input_shape: Shape of the input.

    Attributes:
        input: The entry of the input, of which type and shape were read.
    """

    def __init__(self, netx: Fields, input_shape: tuple[int, ...]) -> None:
        self._netx = netx
        self._rest = netx.groups()
        self._taken = 0
        if not self._rest:
            raise netx.error("there is no layer")
        self.input = self._rest.pop(0)
        if self.input.text("type") != "input" or read_shape(self.input) != input_shape:
            raise self.input.error("is not the input that the coding describes", expected=str(input_shape))

    def next(self, from_shape: tuple[int, ...], shape: tuple[int, ...]) -> Fields:
        """Return the entry of the next layer.

        Args:
            from_shape: Shape of what the layer reads.
            shape: Its own.
        """
        flattened = bool(self._rest) and self._rest[0].has("type") and self._rest[0].text("type") == "flatten"
        if flattened:
            flatten = self._rest.pop(0)
            flatten.integers("shape", (1,), math.prod(from_shape), math.prod(from_shape))
            flatten.finish()
        if not self._rest:
            raise self._netx.error("there are fewer layers than described", found=str(self._taken))
        entry = self._rest.pop(0)
        self._taken += 1
        if read_shape(entry) != shape:
            raise entry.error("shape contradicts the snnc group", expected=str(shape))
        if flattened != (entry.choice("type", "conv", "dense") == "dense" and len(from_shape) > 1):
            raise entry.error("a flatten is missing or superfluous")
        return entry

    def finish(self) -> None:
        """Make sure that there are no more entries."""
        if self._rest:
            raise self._netx.error("there are more layers than described", expected=str(self._taken))


class SpikingLayers:
    """All layers of integrate-and-fire neurons.

    Args:
        own: The group ``snnc/layers``.
        netx: The group ``layer``.
        input_shape: Shape of the input.
        lead: Steps that layers wait before they may fire.

    Attributes:
        forms: Their forms, in topological order.
        on_chain: The indices of those whose first synapse netx has.
    """

    def __init__(self, own: Fields, netx: Fields, input_shape: tuple[int, ...], lead: int) -> None:
        self._chain = NetxChain(netx, input_shape)
        self._chain.input.finish()
        described = own.groups()
        if not described:
            raise own.error("there is no layer")
        synapses = [fields.group("synapses").groups() for fields in described]
        scaling = [[read_scaling(each) for each in layer] for layer in synapses]
        sources = [[each.integer("source", -1, index - 1) for each in layer] for index, layer in enumerate(synapses)]
        # What the order of the entries of netx rests on.
        check_order(
            [
                list(zip(read, (each["hold"] for each in holds), strict=True))
                for read, holds in zip(sources, scaling, strict=True)
            ],
            [0 if fields.has("memoryless") else lead for fields in described],
            own.checks,
        )
        self.on_chain = _chain(synapses, sources)
        self.forms: list[Form] = []
        self._entries: list[Fields] = []
        shapes = [input_shape]
        for index, fields in enumerate(described):
            shape = read_shape(fields)
            entry = self._chain.next(shapes[sources[index][0] + 1], shape) if index in self.on_chain else None
            read_synapses = []
            for position, (each, source) in enumerate(zip(synapses[index], sources[index], strict=True)):
                form = read_synapse(each, None if position else entry, source, shapes[source + 1], shape)
                read_synapses.append(form | scaling[index][position])
                each.finish()
            is_readout = index == len(described) - 1
            self.forms.append({**_layer(fields, shape, is_readout=is_readout), "synapses": read_synapses})
            if entry:
                self._entries.append(entry)
            shapes.append(shape)
        self._described = described

    def finish(self, layers: Iterable[Layer], target: Target) -> None:
        """Make sure that nothing was left unread, and compare the neurons of netx with the layers.

        Args:
            layers: The layers of the chain, which contradict nothing.
            target: Their chip.

        Raises:
            FormatError: They differ, or something was left.
        """
        for fields in self._described:
            fields.finish()
        for entry, layer in zip(self._entries, layers, strict=True):
            _check_neuron(entry.group("neuron"), layer, target)
            entry.finish()
        self._chain.finish()


def _chain(synapses: list[list[Fields]], sources: list[list[int]]) -> tuple[int, ...]:
    """Return the layers whose first synapse is not stored beside the others, since netx has it."""
    path = [len(sources) - 1]
    while (source := sources[path[-1]][0]) >= 0:
        path.append(source)
    return tuple(takewhile(lambda index: not synapses[index][0].has("kind"), reversed(path)))


def _layer(own: Fields, shape: tuple[int, ...], *, is_readout: bool) -> Form:
    """Return the form of a layer, but for its synapses."""
    bias: Shape = (shape[0],)
    if len(shape) == 3:
        bias = shape if own.shape_of("bias") == shape else (shape[0], 1, 1)
    names = {field.name for field in LAYER} - {"shape", "threshold", "gate"}
    form = read(own, chosen(LAYER, *names), {"bias": bias, "scale": (shape[0],)})
    # A layer fires unless it is the readout, and is silenced unless it forgets.
    if not is_readout or own.has("threshold"):
        form |= read(own, needed(LAYER, "threshold"), {})
    if not form["memoryless"] and (not is_readout or own.has("gate")):
        form |= read(own, needed(LAYER, "gate"), {})
    return {"shape": list(shape), **unpack_membrane(form)}


def _check_neuron(fields: Fields, layer: Layer, target: Target) -> None:
    fields.choice("type", "CUBA")
    for name, expected in (
        ("vThMant", fired_above(layer, target)),
        ("iDecay", current_decay(layer)),
        ("vDecay", VOLTAGE_DECAY),
        ("refDelay", REFRACTORY_DELAY),
    ):
        found = fields.integer(name, -NUMBER_MAXIMUM, NUMBER_MAXIMUM)
        if found != expected:
            raise fields.error(f"{name} contradicts the snnc group", expected=str(expected), found=str(found))
    fields.finish()
