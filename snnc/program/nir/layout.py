"""Where layers and synapses stand in an exported graph, in each of its forms, and what its readers have to know."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from snnc.common.errors import OptionError, UnsupportedError
from snnc.program.layer import Layer, Synapse
from snnc.program.program import Program

__all__ = [
    "DT",
    "FORMS",
    "HALF",
    "INFINITE",
    "KEY",
    "SUBTRACT",
    "VERSION",
    "Form",
    "Places",
    "export_notes",
    "has_bias_map",
    "nir_form",
]

# Seconds of a step, which NIR's equations need: the value that its readers take unless told otherwise.
DT = 1e-4
# Where in a node's or the graph's metadata the description stands that no field of NIR has room for.
KEY = "snnc"
VERSION = 1
# What the metadata of neurons say under "reset".
SUBTRACT = "subtract"
# Potentials are integers, so a threshold half below one means the same to readers that fire above and from it on.
HALF = 0.5
# Time constant of a current that does not decay, in steps: 1 - 1 / INFINITE is 1 in double precision.
INFINITE = float(1 << 60)

# NIR has dense matrices only.
MATRIX_MAXIMUM = 1 << 27

Form = Literal["if", "cuba"]
FORMS: tuple[Form, ...] = ("if", "cuba")


def nir_form(name: str) -> Form:
    """Return the form of a name.

    Raises:
        OptionError: There is none of that name.
    """
    for form in FORMS:
        if name == form:
            return form
    raise OptionError(
        "unknown form of neurons", where="neuron (--neuron)", expected=" or ".join(FORMS), found=repr(name)
    )


@dataclass(frozen=True)
class Places:
    """The names of nodes, and the shapes in which populations stand in the graph.

    NIR can flatten an image but has no way back. A layer that a sparse synapse feeds is flat from there on.

    Attributes:
        program: The program.
    """

    program: Program

    def source(self, index: int) -> str:
        """Return the node that sends the spikes of a layer; -1: the input."""
        return "input" if index < 0 else f"layer{index}"

    def synapse(self, index: int, position: int) -> str:
        """Return the node of a synapse into a layer."""
        return f"layer{index}_synapse{position}"

    def is_flat(self, index: int) -> bool:
        """Return whether a population stands as a vector in the graph."""
        if index < 0:
            return len(self.program.coding.shape) == 1
        layer = self.program.layers[index]
        return len(layer.shape) == 1 or any(each.kind == "sparse" for each in layer.synapses)

    def shape(self, index: int) -> tuple[int, ...]:
        """Return the shape of a population in the graph."""
        shape = self.program.source_shape(index)
        return (math.prod(shape),) if self.is_flat(index) else shape

    def check(self, form: Form) -> None:
        """Make sure that NIR can hold the program.

        Args:
            form: What neurons become.

        Raises:
            UnsupportedError: The layers have a lead, a convolution reads a flat layer, or a matrix is too large.
        """
        if self.program.lead:
            raise UnsupportedError(
                "NIR cannot express a lead: neurons that may not fire in their first steps",
                where=f"lead {self.program.lead}",
                advice="compile with --lead 0",
            )
        for index, layer in enumerate(self.program.layers):
            for synapse in layer.synapses:
                self._check(index, layer, synapse)
            if form == "cuba" and layer.threshold is not None and not layer.memoryless:
                # Each neuron's, or for images each channel's, connection to itself.
                self._check_size(layer, self.shape(index)[0] ** 2)

    def _check(self, index: int, layer: Layer, synapse: Synapse) -> None:
        if synapse.kind == "conv" and self.is_flat(synapse.source):
            raise UnsupportedError(
                "NIR cannot express it: a convolution reads a layer of single connections, which NIR has as a vector "
                "and cannot make an image again",
                where=layer.where,
                found=f"layer {self.program.layers[synapse.source].name} before it",
                advice="avoid transposed convolutions, slices and resizing before convolutions",
            )
        outputs, inputs = layer.neurons, math.prod(self.program.source_shape(synapse.source))
        self._check_size(layer, synapse.weight.size * synapse.groups if synapse.kind == "conv" else outputs * inputs)

    def _check_size(self, layer: Layer, size: int) -> None:
        if size > MATRIX_MAXIMUM:
            raise UnsupportedError(
                "NIR cannot express it: its weights would have to be written with all their zeros",
                where=layer.where,
                expected=f"at most {MATRIX_MAXIMUM:,} weights",
                found=f"{size:,}",
            )


def has_bias_map(layer: Layer) -> bool:
    """Return whether a convolution feeds the layer and its bias differs within a channel: NIR has no field for it."""
    return layer.synapses[0].kind == "conv" and layer.bias.size != layer.shape[0]


def export_notes(program: Program, form: Form) -> tuple[str, ...]:
    """Return sentences for whoever exported a program.

    Args:
        program: The program.
        form: What its neurons became.
    """
    notes = []
    if form == "if":
        notes.append(
            "NIR's IF neurons reset to a value, these by subtraction, which stands in their metadata: readers that do "
            "not look there give other spikes; --neuron cuba makes a graph that resets by subtraction by itself"
        )
    for layer in program.layers:
        if has_bias_map(layer):
            notes.append(
                f"layer {layer.name}: its bias differs from neuron to neuron, so an LI node with the time constant of "
                "one step adds it; that is exact in readers that take Euler steps"
            )
        if any(each.kind == "conv" and each.weight.shape[2] != each.weight.shape[3] for each in layer.synapses):
            notes.append(
                f"layer {layer.name}: nir miscalculates the sizes of kernels that are not square; read the file with "
                "nir.read(path, type_check=False)"
            )
    return tuple(notes)
