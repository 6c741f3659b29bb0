"""From a NIR graph to a network that can be traced.

NIR's neurons send spikes that count 1, so what stands after them receives rates, 0 to 1. Edges take no time.
"""

from __future__ import annotations

import json
import operator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.fx
import torch.nn.functional as F

from snnc.common.errors import SnncError, UnsupportedError
from snnc.compiler.frontend.files.assembly import Assembly, Place, printable
from snnc.compiler.frontend.files.identify import HDF5_START, Format, Start
from snnc.compiler.frontend.files.nir.nodes import LAYERS, SpikingActivation, Value, neurons_of, scaled, unusable
from snnc.compiler.frontend.files.tensors import MalformedFileError
from snnc.program.nir.layout import KEY, looks_like_nir
from snnc.program.nir.reader import read_graph

__all__ = ["FORMAT", "read_nir"]


def read_nir(path: Path) -> torch.fx.GraphModule:
    """Read a NIR graph. No code is run.

    Args:
        path: The file.

    Returns:
        The network. Of a graph that snnc exported it takes raw data, as the program does; of others what their input
        takes, which is then the same at each step.

    Raises:
        UnsupportedError: The graph holds something that cannot be compiled; the message names the node.
        FormatError: The file is damaged, or holds what NIR's files do not.
        OptionError: The package ``nir`` is not installed.
        MalformedFileError: The graph contradicts itself.
    """
    graph = read_graph(path)
    try:
        return _Reader(graph).read()
    except SnncError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
        raise MalformedFileError(f"its graph contradicts itself: {error!r}") from error


def _recognise(start: Start) -> bool:
    return start.head.startswith(HDF5_START) and looks_like_nir(start.path)


FORMAT = Format("NIR", _recognise, read_nir, precedence=60)

_AS_IT_IS = "it is a compiled network, which snnc run takes as it is"


class _Reader:
    """Goes through the nodes in the order of their dependence."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._network = Assembly()
        self._values: dict[str, Value] = {}
        self._sources: dict[str, list[str]] = {name: [] for name in graph.nodes}
        for source, target in graph.edges:
            if source not in self._sources or target not in self._sources:
                raise MalformedFileError(f"an edge from {source!r} to {target!r} joins no nodes")
            self._sources[target].append(source)
        self._is_ours = KEY in graph.metadata
        self._dt = _seconds_of_a_step(graph)
        self._timesteps = _timesteps(graph)

    def read(self) -> torch.fx.GraphModule:
        try:
            order = tuple(TopologicalSorter(self._sources).static_order())
        except CycleError as error:
            raise UnsupportedError(
                "the graph has a cycle",
                where=printable(str(error.args[1][0])),
                expected="a network without recurrent connections",
                advice=_AS_IT_IS if self._is_ours else None,
            ) from error
        kinds = [type(node).__name__ for node in self._graph.nodes.values()]
        for kind in ("Input", "Output"):
            if kinds.count(kind) != 1:
                raise UnsupportedError(f"the graph has {kinds.count(kind)} nodes {kind}", expected="one")
        output = ""
        for name in order:
            node = self._graph.nodes[name]
            self._network.place = Place(printable(name))
            if type(node).__name__ == "Output":
                output = name
            else:
                self._values[name] = self._node(name, node)
        self._network.place = Place(printable(output))
        return self._network.finish(self._readout(self._input(output)).node)

    def _node(self, name: str, node: Any) -> Value:
        kind = type(node).__name__
        if kind == "Input":
            return self._data(node)
        value = self._input(name)
        if kind == "IF":
            return self._neurons(value, node)
        translator = LAYERS.get(kind)
        if translator is None:
            raise self._network.place.unsupported(
                f"{kind} is not supported",
                f"IF, {', '.join(LAYERS)}",
                advice=_AS_IT_IS
                if self._is_ours
                else "compile a graph of layers and integrate-and-fire neurons without leak",
            )
        return translator(self._network, value, node)

    def _data(self, node: Any) -> Value:
        shape = tuple(int(each) for each in np.asarray(node.input_type["input"]))
        if len(shape) not in (1, 3):
            raise unusable(
                self._network.place, f"the input has the shape {shape}", "(features,) or (channels, height, width)"
            )
        value = Value(self._network.input(self._network.place), shape[0], is_image=len(shape) == 3)
        described = self._graph.metadata
        if not self._is_ours:
            return value
        # The nodes after it take levels, spread over the steps.
        coding = json.loads(described[KEY])["coding"]
        unit, offset = (np.asarray(described[name], np.float64) for name in ("unit", "offset"))
        each_step = unit * (coding["highest"] if coding["kind"] == "rate" else coding["divisor"])
        return scaled(self._network, value, 1 / each_step, -offset / each_step)

    def _input(self, name: str) -> Value:
        """Return what arrives at a node: the sum of what its sources send."""
        found = [self._values[source] for source in self._sources[name]]
        if not found:
            raise unusable(self._network.place, "nothing leads to it", "edges from the input on")
        total = found[0]
        for value in found[1:]:
            node = self._network.call(operator.add, total.node, value.node)
            total = Value(node, total.channels, is_image=total.is_image)
        return total

    def _neurons(self, value: Value, node: Any) -> Value:
        neurons = neurons_of(node, self._network.place, self._dt)
        # In thresholds, so that what they send counts 1.
        drive = scaled(self._network, value, neurons.gain, np.zeros_like(neurons.gain))
        potential = torch.as_tensor(neurons.potential, dtype=torch.float32)
        activation = SpikingActivation(potential, self._timesteps)
        return Value(
            self._network.module(activation, drive.node), value.channels, is_image=value.is_image, is_spiking=True
        )

    def _readout(self, value: Value) -> Value:
        """Return the output as a linear layer, which counts spikes where the last nodes send some."""
        if not value.is_spiking:
            return value
        if value.is_image:
            raise unusable(self._network.place, "the output is an image", "one number for each class")
        node = self._network.call(F.linear, value.node, torch.eye(value.channels))
        return Value(node, value.channels, is_image=False)


def _seconds_of_a_step(graph: Any) -> float:
    """Return the time in which a neuron's potential rises by its input: 1 / R, by which NIR's writers all go."""
    resistances = {
        float(each) for node in graph.nodes.values() if type(node).__name__ == "IF" for each in np.unique(node.r)
    }
    if len(resistances) > 1:
        raise UnsupportedError(
            "the neurons have different resistances, so that the step is not known", expected="one r for all IF nodes"
        )
    (resistance,) = resistances or {1.0}
    if not resistance > 0:
        raise UnsupportedError("the neurons' resistance is not positive", found=f"{resistance:g}")
    return 1 / resistance


def _timesteps(graph: Any) -> int | None:
    found = graph.metadata.get("timesteps")
    return None if found is None else int(found)
