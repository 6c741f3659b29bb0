"""A network as plain values and arrays, and back: what file formats store, each in its own way.

Plain are texts, integers, truth values, None, and lists of them, as JSON has them; all else are numpy's arrays. A field
has the name of the attribute that it stands for; where a field is left out, the attribute has its default.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from snnc.program.coding import InputCoding
from snnc.program.layer import Entries, Gate, Layer, Membrane, Scaled, Synapse
from snnc.program.network import CompiledNetwork
from snnc.program.program import Program
from snnc.program.provenance import AnnLayer, provenance_form, provenance_of_form
from snnc.program.sigma_delta import SigmaDeltaLayer, SigmaDeltaProgram

Form = dict[str, Any]

# Of a convolution alone.
WINDOW = ("stride", "padding", "dilation")
PER_CHANNEL = ("unit", "offset", "scale", "shift")


def is_array(value: object) -> bool:
    """Return whether a field is an array, and not plain."""
    return isinstance(value, np.ndarray)


def plain(form: Mapping[str, Any]) -> Form:
    """Return the fields of a form that JSON can hold, parts with arrays in them left out."""
    return {name: value for name, value in form.items() if not is_array(value)}


@singledispatch
def to_form(program: CompiledNetwork) -> Form:
    """Return a network as plain values and arrays; registered for each kind of neuron.

    Args:
        program: The network.
    """
    raise NotImplementedError(f"no form is registered for {type(program).__name__}")


def from_form(form: Mapping[str, Any]) -> CompiledNetwork:
    """Return the network that a form describes, whatever it contradicts: :func:`validate` says.

    Args:
        form: What :func:`to_form` returned, or something that was read.

    Raises:
        Exception: Of any kind, where a field is missing or of another type than it should be.
    """
    return _READERS[form["neuron"]](form)


@to_form.register
def _spiking_form(program: Program) -> Form:
    return {
        **_head_form(program),
        "timesteps": program.timesteps,
        "lead": program.lead,
        "layers": [_layer_form(layer) for layer in program.layers],
    }


@to_form.register
def _sigma_delta_form(program: SigmaDeltaProgram) -> Form:
    return {**_head_form(program), "layers": [_sigma_delta_layer_form(layer) for layer in program.layers]}


def _head_form(program: CompiledNetwork) -> Form:
    """Return what networks of all neurons have."""
    coding = program.coding
    return {
        "neuron": program.neuron,
        "target": program.target,
        "provenance": provenance_form(program.provenance),
        "ann": [[layer.module, layer.macs] for layer in program.ann],
        "coding": {
            "kind": coding.kind,
            "divisor": coding.divisor,
            "highest": coding.highest,
            "shape": list(coding.shape),
            **{name: np.asarray(getattr(coding, name)) for name in PER_CHANNEL},
        },
    }


def _layer_form(layer: Layer) -> Form:
    threshold, gate = layer.threshold, layer.gate
    return {
        "name": layer.name,
        "modules": list(layer.modules),
        "shape": list(layer.shape),
        "bias": np.asarray(layer.bias),
        "scale": np.asarray(layer.scale),
        "initial_potential": layer.initial_potential,
        "memoryless": layer.memoryless,
        "threshold": None if threshold is None else [threshold.mantissa, threshold.exponent],
        "gate": None if gate is None else [gate.pulse.mantissa, gate.pulse.exponent, gate.count],
        **_membrane_form(layer.membrane),
        "synapses": [synapse_form(synapse) for synapse in layer.synapses],
    }


def _sigma_delta_layer_form(layer: SigmaDeltaLayer) -> Form:
    return {
        "name": layer.name,
        "modules": list(layer.modules),
        "shape": list(layer.shape),
        "scale": np.asarray(layer.scale),
        **_membrane_form(layer.membrane),
        "bias": np.asarray(layer.bias),
        "delta_threshold": layer.delta_threshold,
        "synapses": [synapse_form(layer.synapse)],
    }


def _membrane_form(membrane: Membrane) -> Form:
    return {
        "membrane_proven": list(membrane.proven),
        "membrane_measured": None if membrane.measured is None else list(membrane.measured),
        "membrane_samples": membrane.samples,
    }


def synapse_form(synapse: Synapse) -> Form:
    """Return a synapse as plain values and arrays; the window of those that are no convolutions is left out."""
    window = {name: np.array(getattr(synapse, name), np.int64) for name in WINDOW} if synapse.kind == "conv" else {}
    entries = {} if synapse.entries is None else asdict(synapse.entries)
    return {
        "source": synapse.source,
        "kind": synapse.kind,
        "weight": np.asarray(synapse.weight),
        "exponent": synapse.exponent,
        "hold": synapse.hold,
        **window,
        "groups": synapse.groups,
        **entries,
    }


def spiking_from_form(form: Mapping[str, Any]) -> Program:
    """Return the network of integrate-and-fire neurons that a form describes; see :func:`from_form`."""
    return Program(
        timesteps=form["timesteps"],
        lead=form.get("lead", 0),
        layers=tuple(map(_layer, form["layers"])),
        **_head(form),
    )


def _sigma_delta(form: Mapping[str, Any]) -> SigmaDeltaProgram:
    return SigmaDeltaProgram(layers=tuple(map(_sigma_delta_layer, form["layers"])), **_head(form))


_READERS: dict[str, Callable[[Mapping[str, Any]], CompiledNetwork]] = {
    Program.neuron: spiking_from_form,
    SigmaDeltaProgram.neuron: _sigma_delta,
}


def _head(form: Mapping[str, Any]) -> dict[str, Any]:
    coding = form["coding"]
    return {
        "target": form["target"],
        "provenance": provenance_of_form(form["provenance"]),
        "ann": tuple(AnnLayer(module, macs) for module, macs in form["ann"]),
        "coding": InputCoding(
            kind=coding["kind"],
            shape=tuple(coding["shape"]),
            divisor=coding["divisor"],
            highest=coding["highest"],
            **{name: np.asarray(coding[name]) for name in PER_CHANNEL},
        ),
    }


def _layer(form: Mapping[str, Any]) -> Layer:
    threshold, gate = form.get("threshold"), form.get("gate")
    return Layer(
        name=form["name"],
        modules=_names(form["modules"]),
        shape=tuple(form["shape"]),
        synapses=tuple(map(_synapse, form["synapses"])),
        bias=_narrow(form["bias"], np.int32),
        threshold=None if threshold is None else Scaled(*threshold),
        initial_potential=form["initial_potential"],
        gate=None if gate is None else Gate(Scaled(*gate[:2]), *gate[2:]),
        scale=np.asarray(form["scale"]),
        membrane=_membrane(form),
        memoryless=form.get("memoryless", False),
    )


def _sigma_delta_layer(form: Mapping[str, Any]) -> SigmaDeltaLayer:
    (synapse,) = form["synapses"]
    is_readout = form["delta_threshold"] is None
    return SigmaDeltaLayer(
        name=form["name"],
        modules=_names(form["modules"]),
        shape=tuple(form["shape"]),
        synapse=_synapse(synapse),
        bias=np.zeros(form["shape"][0], np.int32) if is_readout else _narrow(form["bias"], np.int32),
        delta_threshold=form["delta_threshold"],
        scale=np.asarray(form["scale"]),
        membrane=_membrane(form),
        has_constant=not is_readout,
    )


def _membrane(form: Mapping[str, Any]) -> Membrane:
    measured = form.get("membrane_measured")
    low, high = form["membrane_proven"]
    return Membrane((low, high), None if measured is None else (measured[0], measured[1]), form["membrane_samples"])


def _synapse(form: Mapping[str, Any]) -> Synapse:
    known = {each.name for each in fields(Synapse)}
    options = {name: value for name, value in form.items() if name in known}
    for name in {*WINDOW} & {*options}:
        options[name] = tuple(np.asarray(options[name]).tolist())
    if "row_starts" in form:
        options["entries"] = Entries(_narrow(form["row_starts"], np.int32), _narrow(form["columns"], np.int32))
    return Synapse(**{**options, "weight": _narrow(form["weight"], np.int16)})


def _names(value: Any) -> tuple[str, ...]:
    """Return a list as a tuple; anything else as it is, to be refused."""
    return tuple(value) if isinstance(value, list) else value


def _narrow(values: NDArray[Any], kind: DTypeLike) -> NDArray[Any]:
    """Return integers in fewer bits; as they are where these cannot hold them, to be refused as out of range."""
    array = np.asarray(values)
    limits = np.iinfo(kind)
    if array.dtype.kind in "iu" and (not array.size or (array.min() >= limits.min and array.max() <= limits.max)):
        return array.astype(kind)
    return array
