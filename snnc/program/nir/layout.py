"""Where layers and synapses stand in an exported graph, in each of its forms, and what its readers have to know."""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from snnc.common.errors import OptionError, UnsupportedError
from snnc.program.layer import Entries, Layer, Synapse
from snnc.program.net.hdf5_safety import Admitted
from snnc.program.program import Program

__all__ = [
    "DT",
    "FORMS",
    "HALF",
    "INFINITE",
    "KEY",
    "SUBTRACT",
    "VERSION",
    "Floats",
    "Form",
    "Places",
    "check_nir_file",
    "dense_weight",
    "export_notes",
    "has_bias_map",
    "looks_like_nir",
    "nir_form",
    "nir_package",
    "synapse_weight",
]


def nir_package(where: str) -> Any:
    """Return the package.

    Args:
        where: The file that it is needed for.

    Raises:
        OptionError: It is not installed.
    """
    try:
        return importlib.import_module("nir")
    except ImportError as error:
        raise OptionError("NIR graphs need the package nir", where=where, advice="pip install nir") from error


def looks_like_nir(path: str | Path) -> bool:
    """Return whether a file is HDF5 with the two entries that NIR's files have at the top."""
    try:
        if not Path(path).is_file():
            return False
        with h5py.File(path, "r") as file:
            return set(file) >= {"node", "version"}
    # What h5py raises on damaged files, which whoever reads them says more about.
    except (OSError, RuntimeError, KeyError, MemoryError, TypeError, ValueError):
        return False


def check_nir_file(file: h5py.File, name: str) -> None:
    """Go through all of an open file.

    Args:
        file: The file.
        name: Its name, for errors.

    Raises:
        FormatError: It holds something that NIR's files do not have, or more than it can.
    """
    Admitted(name, expected="a NIR file as the package nir writes", texts=True).check(file)


Floats = NDArray[np.float32]


def dense_weight(synapse: Synapse, source_shape: tuple[int, ...]) -> Floats:
    """Return what a spike adds, with a number for each pair of connected channels or neurons.

    Args:
        synapse: The synapse.
        source_shape: Shape of what it reads.

    Returns:
        (out_channels, in_channels, height, width) for convolutions, else (neurons of the layer, of the source).
    """
    weight = synapse.scaled_weight.astype(np.float32)
    if synapse.kind == "dense":
        return weight
    if synapse.kind == "sparse":
        matrix: Floats = synapse.matrix(source_shape).toarray().astype(np.float32) * np.float32(1 << synapse.exponent)
        return matrix
    groups = synapse.groups
    outputs, inputs, *window = weight.shape
    wide = np.zeros((groups, outputs // groups, groups, inputs, *window), np.float32)
    for group, rows in enumerate(weight.reshape(groups, outputs // groups, inputs, *window)):
        wide[group, :, group] = rows
    return wide.reshape(outputs, groups * inputs, *window)


def synapse_weight(
    weight: NDArray[Any], kind: str, exponent: int, groups: int, entries: Entries | None
) -> NDArray[np.int16]:
    """Return the inverse of :func:`dense_weight`.

    Args:
        weight: What stands in the graph.
        kind: As in :class:`Synapse`.
        exponent: As in :class:`Synapse`.
        groups: As in :class:`Synapse`.
        entries: As in :class:`Synapse`.

    Raises:
        ValueError: A weight is no integer that the exponent divides, or does not fit.
    """
    values = np.asarray(weight, np.float64) / (1 << exponent)
    if kind == "conv" and groups > 1:
        outputs, inputs, *window = values.shape
        blocks = values.reshape(groups, outputs // groups, groups, inputs // groups, *window)
        values = np.stack([blocks[group, :, group] for group in range(groups)])
        values = values.reshape(outputs, inputs // groups, *window)
    if entries is not None:
        rows = np.repeat(np.arange(len(entries.row_starts) - 1), np.diff(entries.row_starts))
        values = values[rows, entries.columns]
    integers = np.rint(values)
    if not np.isfinite(values).all() or (integers != values).any() or (np.abs(integers) > math.ldexp(1, 8)).any():
        raise ValueError("a weight is not of 8 bits")
    found: NDArray[np.int16] = integers.astype(np.int16)
    return found


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
