"""Puts the form of a program together out of a graph that :mod:`snnc.program.nir.export` wrote; nothing is checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.program.form import PER_CHANNEL, WINDOW, Form
from snnc.program.layer import Entries
from snnc.program.nir.description import described
from snnc.program.nir.layout import HALF, synapse_weight

__all__ = ["rebuilt"]

# Beyond the exponents of any chip; which ones its own has is checked once the program is there.
EXPONENT_MAXIMUM = 31


def rebuilt(graph: Any, head: Mapping[str, Any]) -> Form:
    """Return the program's form; its neurons integrate and fire.

    Args:
        graph: A ``nir.NIRGraph``.
        head: What its metadata describe.

    Raises:
        Exception: Of any kind, where something is missing or of another type than it should be.
    """
    return {
        **head,
        "coding": {
            **head["coding"],
            "shape": [int(each) for each in graph.nodes["input"].input_type["input"]],
            **{name: np.asarray(graph.metadata[name]) for name in PER_CHANNEL},
        },
        "layers": [_layer(graph, index) for index in range(int(head["layers"]))],
    }


def _layer(graph: Any, index: int) -> Form:
    node = graph.nodes[f"layer{index}"]
    form = described(node.metadata)
    names = [f"layer{index}_synapse{position}" for position in range(int(form["synapses"]))]
    return {
        **form,
        "synapses": [_synapse(graph.nodes[name]) for name in names],
        "bias": _bias(graph, index, graph.nodes[names[0]], tuple(form["bias_shape"]), tuple(form["shape"])),
        "initial_potential": _initial_potential(node, form["threshold"]),
        "scale": np.asarray(node.metadata["scale"]),
    }


def _initial_potential(node: Any, threshold: list[int] | None) -> int:
    """Return theta less the level from which the node fires, which is the same for all of its neurons."""
    level = getattr(node, "v_threshold", None)
    if threshold is None or level is None:
        return 0
    mantissa, exponent = threshold
    return (mantissa << _exponent(exponent)) - int(np.ravel(level)[0] + HALF)


def _exponent(value: object) -> int:
    """Return a number of bits to shift by, before anything is shifted: without bounds it would fill the memory."""
    if not isinstance(value, int) or not 0 <= value <= EXPONENT_MAXIMUM:
        raise ValueError(f"an exponent is {value}, not 0..{EXPONENT_MAXIMUM}")
    return value


def _bias(graph: Any, index: int, first: Any, bias_shape: tuple[int, ...], shape: tuple[int, ...]) -> NDArray[Any]:
    separate = graph.nodes.get(f"layer{index}_bias")
    values = np.asarray(first.bias if separate is None else separate.v_leak)
    if values.size != math.prod(bias_shape):
        # One number for each channel, written for each neuron of a vector.
        values = values.reshape(shape)[:, :1, :1]
    return values.reshape(bias_shape).astype(np.int32)


def _synapse(node: Any) -> Form:
    form: Form = described(node.metadata)
    entries = None
    if "columns" in node.metadata:
        starts, columns = (np.asarray(node.metadata[name], np.int32) for name in ("row_starts", "columns"))
        if np.diff(starts.astype(np.int64)).clip(0).sum() != columns.size:
            raise ValueError("row_starts does not divide the weights into rows")
        entries = Entries(starts, columns)
        form |= {"row_starts": starts, "columns": columns}
    if form["kind"] == "conv":
        form |= {name: np.asarray(getattr(node, name)) for name in WINDOW}
    weight = synapse_weight(node.weight, form["kind"], _exponent(form["exponent"]), int(form["groups"]), entries)
    return {**form, "weight": weight}
