"""Program to NIR.

A population of integrate-and-fire neurons becomes a node ``IF``. NIR's readers start potentials at 0, so potentials
are counted from the initial one: ``v_threshold`` is theta - v0 (less a half: see ``HALF``) and ``v_reset`` is -v0, what
a reset to zero means on that scale. That the reset subtracts theta is nothing that NIR's equation can say; it stands in
the metadata.

In the form ``cuba`` the graph itself resets by subtraction, as the network on the chip does: ``CubaLIF`` whose current
never decays and whose potential is the current, so that the reset of the potential loses nothing, and a connection of
weight -theta from each neuron to itself.

NIR's edges take no time: a layer gets the spikes that its source sends in the same step. The delays that align the
paths of the pipeline on the chip are not there.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from snnc.common.atomic_write import write_whole
from snnc.program.layer import Layer
from snnc.program.nir.description import Description
from snnc.program.nir.layout import DT, HALF, INFINITE, Floats, Form, Places, dense_weight, has_bias_map, nir_package
from snnc.program.program import Program
from snnc.program.validate import validate

__all__ = ["export_nir", "nir_graph"]


def export_nir(program: Program, path: str | Path, form: Form = "if") -> None:
    """Write a program as a NIR file: whole, or not at all.

    Args:
        program: The program.
        path: The file; one that exists is replaced.
        form: What neurons become: ``if`` or ``cuba``.

    Raises:
        FormatError: The program contradicts itself, so that no reader would take the file.
        UnsupportedError: NIR cannot express the program.
        OptionError: The package ``nir`` is not installed.
        OutputError: The file cannot be written.
    """
    validate(program, str(path))
    graph = nir_graph(program, form)
    buffer = io.BytesIO()
    nir_package(str(path)).write(buffer, graph)
    write_whole(path, buffer.getvalue())


def nir_graph(program: Program, form: Form = "if") -> Any:
    """Return a program as a ``nir.NIRGraph``.

    The input takes the levels of ``program.coding.spikes``, one step after the other. The output gives what the readout
    receives in each step; its sum over T steps is the readout's potential.

    Args:
        program: The program.
        form: What neurons become: ``if`` or ``cuba``.

    Raises:
        UnsupportedError: NIR cannot express the program.
        OptionError: The package ``nir`` is not installed.
    """
    Places(program).check(form)
    return _Export(program, form, nir_package("NIR")).graph()


class _Export:
    """A graph in the making."""

    def __init__(self, program: Program, form: Form, nir: Any) -> None:
        self._program = program
        self._form = form
        self._nir = nir
        self._places = Places(program)
        self._description = Description(program)
        self._nodes: dict[str, Any] = {}
        self._edges: list[tuple[str, str]] = []

    def graph(self) -> Any:
        shape = np.array(self._program.coding.shape)
        self._nodes["input"] = self._nir.Input(input_type={"input": shape})
        for index, layer in enumerate(self._program.layers):
            self._layer(index, layer)
        metadata = self._description.graph(self._form)
        # The package works out the sizes of convolutions for square kernels only, and would refuse others.
        return self._nir.NIRGraph(self._nodes, self._edges, metadata=metadata, type_check=False)

    def _layer(self, index: int, layer: Layer) -> None:
        name, shape = self._places.source(index), self._places.shape(index)
        if layer.threshold is None:
            node = self._nir.Output(output_type={"output": np.array(shape)})
        elif layer.memoryless:
            node = self._nir.Threshold(threshold=_full(shape, layer.firing_level - HALF))
        else:
            node = self._neurons(layer, shape)
        node.metadata = self._description.layer(index)
        self._nodes[name] = node
        target = self._bias_map(index, layer)
        for position in range(len(layer.synapses)):
            self._synapse(index, position, target)
        if self._form == "cuba" and layer.threshold is not None and not layer.memoryless:
            self._self_inhibition(name, shape, layer.threshold.value)

    def _neurons(self, layer: Layer, shape: tuple[int, ...]) -> Any:
        level = _full(shape, layer.firing_level - HALF)
        if self._form == "if":
            reset = _full(shape, -layer.initial_potential)
            return self._nir.IF(r=_full(shape, 1 / DT), v_threshold=level, v_reset=reset)
        zeros = _full(shape, 0)
        return self._nir.CubaLIF(
            tau_syn=np.full(shape, DT * INFINITE),
            tau_mem=np.full(shape, DT),
            r=_full(shape, 1),
            v_leak=zeros,
            v_threshold=level,
            v_reset=zeros.copy(),
            w_in=np.full(shape, INFINITE),
        )

    def _self_inhibition(self, name: str, shape: tuple[int, ...], theta: int) -> None:
        loop = f"{name}_reset"
        if len(shape) == 3:
            weight = -theta * np.eye(shape[0], dtype=np.float32)[:, :, None, None]
            self._nodes[loop] = self._convolution(weight, shape, (1, 1), (0, 0), (1, 1), _full((shape[0],), 0))
        else:
            self._nodes[loop] = self._nir.Linear(weight=-theta * np.eye(shape[0], dtype=np.float32))
        self._edges += [(name, loop), (loop, name)]

    def _bias_map(self, index: int, layer: Layer) -> str:
        """Return where a layer's synapses lead: to it, or to a node that adds a bias which NIR's nodes cannot hold."""
        name = self._places.source(index)
        if not has_bias_map(layer):
            return name
        shape = self._places.shape(index)
        # An integrator with the time constant of one step: v = v_leak + I.
        node = self._nir.LI(
            tau=_full(shape, DT), r=_full(shape, 1), v_leak=layer.bias.astype(np.float32).reshape(shape)
        )
        self._nodes[f"{name}_bias"] = node
        self._edges.append((f"{name}_bias", name))
        return f"{name}_bias"

    def _synapse(self, index: int, position: int, target: str) -> None:
        layer = self._program.layers[index]
        synapse = layer.synapses[position]
        source, name = self._places.source(synapse.source), self._places.synapse(index, position)
        read = self._program.source_shape(synapse.source)
        weight = dense_weight(synapse, read)
        bias = None
        if position == 0 and not has_bias_map(layer):
            wide = layer.bias if synapse.kind == "conv" else np.broadcast_to(layer.bias, layer.shape)
            bias = wide.astype(np.float32).ravel()
        if synapse.kind == "conv":
            none = _full((layer.shape[0],), 0)
            node = self._convolution(
                weight, read, synapse.stride, synapse.padding, synapse.dilation, none if bias is None else bias
            )
        else:
            if not self._places.is_flat(synapse.source):
                source = self._flattened(source, read)
            node = self._nir.Linear(weight=weight) if bias is None else self._nir.Affine(weight=weight, bias=bias)
        node.metadata = self._description.synapse(index, position)
        self._nodes[name] = node
        self._edges.append((source, name))
        if synapse.kind == "conv" and self._places.is_flat(index):
            name = self._flattened(name, layer.shape)
        self._edges.append((name, target))

    def _flattened(self, source: str, shape: tuple[int, ...]) -> str:
        """Return a node with the values of another as a vector; there is one for all that read it."""
        name = f"{source}_flat"
        if name not in self._nodes:
            self._nodes[name] = self._nir.Flatten({"input": np.array(shape)}, start_dim=0, end_dim=-1)
            self._edges.append((source, name))
        return name

    def _convolution(
        self,
        weight: Floats,
        read: tuple[int, ...],
        stride: tuple[int, int],
        padding: tuple[int, int],
        dilation: tuple[int, int],
        bias: Floats,
    ) -> Any:
        return self._nir.Conv2d(
            input_shape=read[1:],
            weight=weight,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=1,
            bias=bias,
        )


def _full(shape: tuple[int, ...], value: float) -> Floats:
    return np.full(shape, value, np.float32)
