"""What a program holds beyond what NIR's nodes have fields for, as metadata: texts in JSON, and arrays.

It is the program's form (:mod:`snnc.program.form`) without the arrays that NIR's own fields hold. A node of neurons has
in plain words, for other readers, how it resets, its threshold and its initial potential.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from snnc.program.form import PER_CHANNEL, WINDOW, is_array, plain, to_form
from snnc.program.layer import Layer
from snnc.program.nir.layout import DT, KEY, SUBTRACT, VERSION, Form
from snnc.program.program import Program

__all__ = ["Description", "described"]


def described(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return what stands in a node's or the graph's metadata as JSON.

    Raises:
        ValueError: It is no JSON object.
    """
    found = json.loads(metadata[KEY])
    if not isinstance(found, dict):
        raise ValueError(f"the metadata {KEY} is no JSON object")
    return found


class Description:
    """The metadata of all nodes of a program's graph.

    Args:
        program: The program.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._form = to_form(program)

    def graph(self, form: Form) -> dict[str, Any]:
        """Return the graph's metadata.

        Args:
            form: What neurons became.
        """
        head = {name: value for name, value in self._form.items() if name not in ("neuron", "lead")}
        coding = {name: value for name, value in plain(head["coding"]).items() if name != "shape"}
        # Its nodes describe the layers, and its input has the shape of the coding.
        head |= {"format_version": VERSION, "form": form, "layers": len(head["layers"]), "coding": coding}
        arrays = {name: self._form["coding"][name] for name in PER_CHANNEL}
        return {KEY: _json(head), "dt": np.float64(DT), "timesteps": np.int64(self._program.timesteps), **arrays}

    def layer(self, index: int) -> dict[str, Any]:
        """Return the metadata of a population's node."""
        layer, form = self._program.layers[index], self._form["layers"][index]
        head = {**plain(form), "bias_shape": list(layer.bias.shape), "synapses": len(layer.synapses)}
        return {KEY: _json(head), "scale": form["scale"], **_in_plain_words(layer)}

    def synapse(self, index: int, position: int) -> dict[str, Any]:
        """Return the metadata of a synapse's node."""
        form = self._form["layers"][index]["synapses"][position]
        # Weights and window are fields of the node.
        arrays = {name: each for name, each in form.items() if is_array(each) and name not in ("weight", *WINDOW)}
        return {KEY: _json(plain(form)), **arrays}


def _in_plain_words(layer: Layer) -> dict[str, Any]:
    if layer.threshold is None or layer.memoryless:
        return {}
    return {"reset": SUBTRACT, "threshold": layer.threshold.value, "initial_potential": layer.initial_potential}


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)
