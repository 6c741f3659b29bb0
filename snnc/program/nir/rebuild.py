"""Puts a program together out of a graph that :mod:`snnc.program.nir.export` wrote; nothing is checked here."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from snnc.program.coding import InputCoding
from snnc.program.layer import EXPONENT_MAX, Bias, Entries, Gate, Layer, Membrane, Scaled, Synapse
from snnc.program.nir.layout import HALF, KEY
from snnc.program.nir.weights import synapse_weight
from snnc.program.program import Program
from snnc.program.provenance import AnnLayer, provenance_of_form

__all__ = ["described", "rebuilt"]


def described(metadata: dict[str, Any]) -> dict[str, Any]:
    """What stands in a node's or the graph's metadata as JSON.

    Raises:
        ValueError: It is no JSON object.
    """
    found = json.loads(metadata[KEY])
    if not isinstance(found, dict):
        raise ValueError(f"the metadata {KEY} is no JSON object")
    return found


def rebuilt(graph: Any, head: dict[str, Any]) -> Program:
    """The program.

    Args:
        graph: A ``nir.NIRGraph``.
        head: What its metadata describe.

    Raises:
        Exception: Of any kind, where something is missing or of another type than it should be.
    """
    coding = InputCoding(
        kind=head["coding"]["kind"],
        shape=tuple(int(each) for each in graph.nodes["input"].input_type["input"]),
        divisor=head["coding"]["divisor"],
        highest=head["coding"]["highest"],
        **{name: np.asarray(graph.metadata[name]) for name in ("unit", "offset", "scale", "shift")},
    )
    return Program(
        target=head["target"],
        timesteps=head["timesteps"],
        coding=coding,
        layers=tuple(_layer(graph, index) for index in range(int(head["layers"]))),
        ann=tuple(AnnLayer(module, macs) for module, macs in head["ann"]),
        provenance=provenance_of_form(head["provenance"]),
    )


def _layer(graph: Any, index: int) -> Layer:
    node = graph.nodes[f"layer{index}"]
    form = described(node.metadata)
    shape = tuple(form["shape"])
    names = [f"layer{index}_synapse{position}" for position in range(int(form["synapses"]))]
    threshold, gate, measured = form["threshold"], form["gate"], form["membrane_measured"]
    return Layer(
        name=form["name"],
        modules=tuple(form["modules"]),
        shape=shape,
        synapses=tuple(_synapse(graph.nodes[name], index) for name in names),
        bias=_bias(graph, index, graph.nodes[names[0]], tuple(form["bias_shape"]), shape),
        threshold=None if threshold is None else _scaled(*threshold),
        initial_potential=_initial_potential(node, threshold),
        gate=None if gate is None else Gate(_scaled(gate[0], gate[1]), gate[2]),
        scale=np.asarray(node.metadata["scale"]),
        membrane=Membrane(
            (form["membrane_proven"][0], form["membrane_proven"][1]),
            None if measured is None else (measured[0], measured[1]),
            form["membrane_samples"],
        ),
        memoryless=form["memoryless"],
    )


def _initial_potential(node: Any, threshold: list[int] | None) -> int:
    """Theta less the level from which the node fires, which is the same for all of its neurons."""
    level = getattr(node, "v_threshold", None)
    if threshold is None or level is None:
        return 0
    return _scaled(*threshold).value - int(np.ravel(level)[0] + HALF)


def _scaled(mantissa: int, exponent: int) -> Scaled:
    return Scaled(mantissa, _exponent(exponent))


def _exponent(value: object) -> int:
    """A number of bits to shift by, before anything is shifted: without bounds it would fill the memory."""
    if not isinstance(value, int) or not 0 <= value <= EXPONENT_MAX:
        raise ValueError(f"an exponent is {value}, not 0..{EXPONENT_MAX}")
    return value


def _source(value: object, index: int) -> int:
    """What a layer reads: the input, -1, or a layer before it. In a circle the longest path would have no end."""
    if not isinstance(value, int) or not -1 <= value < index:
        raise ValueError(f"layer {index} reads {value}, not the input or a layer before it")
    return value


def _bias(graph: Any, index: int, first: Any, bias_shape: tuple[int, ...], shape: tuple[int, ...]) -> Bias:
    separate = graph.nodes.get(f"layer{index}_bias")
    values = np.asarray(first.bias if separate is None else separate.v_leak)
    if values.size != math.prod(bias_shape):
        # One number for each channel, written for each neuron of a vector.
        values = values.reshape(shape)[:, :1, :1]
    return values.reshape(bias_shape).astype(np.int32)


def _synapse(node: Any, index: int) -> Synapse:
    form = described(node.metadata)
    kind, groups, exponent = form["kind"], int(form["groups"]), _exponent(form["exponent"])
    entries = None
    if "columns" in node.metadata:
        starts, columns = (np.asarray(node.metadata[name], np.int32) for name in ("row_starts", "columns"))
        if np.diff(starts.astype(np.int64)).clip(0).sum() != columns.size:
            raise ValueError("row_starts does not divide the weights into rows")
        entries = Entries(starts, columns)
    weight = synapse_weight(node.weight, kind, exponent, groups, entries)
    options: dict[str, Any] = {}
    if kind == "conv":
        options = {name: _pair(getattr(node, name)) for name in ("stride", "padding", "dilation")}
    return Synapse(
        _source(form["source"], index),
        kind,
        weight,
        groups=groups,
        exponent=exponent,
        hold=form["hold"],
        entries=entries,
        **options,
    )


def _pair(value: Any) -> tuple[int, int]:
    first, second = np.asarray(value).tolist()
    return first, second
