"""netx HDF5 to Program."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Literal, cast

import h5py
import numpy as np

from snnc.compiler.emit.fields import Fields
from snnc.compiler.emit.grouping import joined_groups, original_groups
from snnc.compiler.emit.layout import (
    CURRENT_DECAY,
    FORMAT_VERSION,
    GROUP,
    GROUPS_MAXIMUM,
    LAYERS,
    READOUT_THRESHOLD,
    VOLTAGE_DECAY,
)
from snnc.compiler.ir.ops import window_output
from snnc.compiler.program import (
    AnnLayer,
    Gate,
    InputCoding,
    Layer,
    Membrane,
    Program,
    Provenance,
    Scaled,
    Synapse,
)
from snnc.compiler.targets import target_names
from snnc.errors import FormatError, first_line

TIMESTEPS_MAXIMUM = 1024
_SIZE = 1 << 31
_STATE = 1 << 40


def load(path: str | Path) -> Program:
    """Reads a .net file and checks all of it.

    Args:
        path: The file.

    Returns:
        The program that was saved.

    Raises:
        FormatError: The file cannot be read, is of a newer format, or contradicts itself.
    """
    name = str(path)
    if not Path(path).is_file():
        problem = "is a folder, not a .net file" if Path(path).is_dir() else "no such file"
        raise FormatError(problem, where=name)
    if not h5py.is_hdf5(name):
        raise FormatError("is not an HDF5 file, or is truncated", where=name, advice="compile the network again")
    try:
        with h5py.File(name, "r") as file:
            return _read(file, name)
    # What h5py raises on damaged files.
    except (OSError, RuntimeError, KeyError, MemoryError, TypeError, ValueError) as error:
        raise FormatError(
            "is damaged", where=name, found=first_line(error), advice="compile the network again"
        ) from error


def _read(file: h5py.File, name: str) -> Program:
    root = Fields(file, name)
    if not root.has(GROUP):
        raise FormatError(
            "was not written by snnc", where=name, expected=f"a group {GROUP!r}", advice="compile it with snnc"
        )
    own = root.group(GROUP)
    version = own.integer("format_version", 1, 1 << 30)
    if version > FORMAT_VERSION:
        raise FormatError(
            "is of a newer format",
            where=name,
            expected=f"version {FORMAT_VERSION} or older",
            found=f"version {version}",
            advice="update snnc",
        )
    coding = _coding(own.group("coding"))
    timesteps = own.integer("timesteps", 1, TIMESTEPS_MAXIMUM)
    layers = _layers(own.group("layers"), root.group(LAYERS), coding)
    program = Program(
        target=own.choice("target", *target_names()),
        timesteps=timesteps,
        coding=coding,
        layers=layers,
        ann=_ann(own),
        provenance=_provenance(own),
    )
    own.finish()
    root.finish()
    return program


def _ann(own: Fields) -> tuple[AnnLayer, ...]:
    entries = own.json("ann")
    if not isinstance(entries, list):
        raise own.error("ann is not a list")
    for entry in entries:
        if not (
            isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str) and isinstance(entry[1], int)
        ):
            raise own.error("ann holds something else than [module, macs]")
    return tuple(AnnLayer(module, macs) for module, macs in entries)


def _provenance(own: Fields) -> Provenance:
    value = own.json("provenance")
    wanted: dict[str, Callable[[object], bool]] = {
        "snnc": lambda each: isinstance(each, str),
        "model": lambda each: isinstance(each, str),
        "calibration": lambda each: isinstance(each, str),
        "calibration_samples": lambda each: isinstance(each, int),
        "options": lambda each: isinstance(each, dict) and all(isinstance(v, str) for v in each.values()),
        "notes": lambda each: isinstance(each, list) and all(isinstance(v, str) for v in each),
    }
    if not isinstance(value, dict) or set(value) != set(wanted):
        raise own.error("provenance has the wrong fields", expected=", ".join(wanted))
    for key, check in wanted.items():
        if not check(value[key]):
            raise own.error(f"provenance has a wrong {key}")
    return Provenance(
        value["snnc"],
        value["model"],
        value["calibration"],
        value["calibration_samples"],
        value["options"],
        tuple(value["notes"]),
    )


def _shape(fields: Fields, name: str = "shape") -> tuple[int, ...]:
    shape = tuple(int(size) for size in fields.integers(name, (None,), 1, _SIZE))
    if len(shape) not in (1, 3):
        raise fields.error(f"{name} has the wrong number of axes", expected="1 or 3", found=str(len(shape)))
    return shape


def _coding(fields: Fields) -> InputCoding:
    shape = _shape(fields)
    arrays = {name: fields.floats(name, (shape[0],)) for name in ("unit", "offset", "scale", "shift")}
    if not (arrays["unit"] > 0).all():
        raise fields.error("unit is not positive")
    coding = InputCoding(
        kind=cast(Literal["graded", "rate"], fields.choice("kind", "graded", "rate")),
        shape=shape,
        divisor=fields.integer("divisor", 1, 256),
        highest=fields.integer("highest", 1, 255),
        **arrays,
    )
    fields.finish()
    return coding


def _layers(own: Fields, netx: Fields, coding: InputCoding) -> tuple[Layer, ...]:
    entries = netx.groups()
    described = own.groups()
    if not described:
        raise own.error("there is no layer")
    if not entries:
        raise netx.error("there is no layer")
    first, *rest = entries
    if first.text("type") != "input" or _shape(first) != coding.shape:
        raise first.error("is not the input that the coding describes", expected=str(coding.shape))
    first.finish()
    layers: list[Layer] = []
    shapes = [coding.shape]
    for index, fields in enumerate(described):
        flattened = bool(rest) and rest[0].has("type") and rest[0].text("type") == "flatten"
        if flattened:
            flatten = rest.pop(0)
            flatten.integers("shape", (1,), math.prod(shapes[index]), math.prod(shapes[index]))
            flatten.finish()
        if not rest:
            raise netx.error("there are fewer layers than described", expected=str(len(described)), found=str(index))
        layer = _layer(fields, rest.pop(0), shapes, index, last=index == len(described) - 1)
        if flattened != (layer.synapses[0].kind == "dense" and len(shapes[layer.synapses[0].source + 1]) > 1):
            raise fields.error("a flatten is missing or superfluous")
        layers.append(layer)
        shapes.append(layer.shape)
    if rest:
        raise netx.error("there are more layers than described", expected=str(len(described)))
    return tuple(layers)


def _layer(own: Fields, netx: Fields, shapes: list[tuple[int, ...]], index: int, *, last: bool) -> Layer:
    shape = _shape(own)
    if _shape(netx) != shape:
        raise netx.error("shape contradicts the snnc group", expected=str(shape))
    synapses = tuple(
        _synapse(fields, netx if position == 0 else fields, shapes, shape, index)
        for position, fields in enumerate(own.group("synapses").groups())
    )
    if not synapses:
        raise own.error("there is no synapse")
    threshold = gate = None
    potential = own.integer("initial_potential", 0, 0 if last else _STATE)
    if last:
        if own.has("threshold"):
            raise own.error("the readout has a threshold")
        expected = READOUT_THRESHOLD
    else:
        mantissa, exponent = own.integers("threshold", (2,), 0, 255).tolist()
        threshold = Scaled(mantissa, exponent)
        pulse, shift, count = own.integers("gate", (3,), 0, 255).tolist()
        gate = Gate(Scaled(pulse, shift), count)
        if exponent > 7 or shift > 7 or not 0 <= potential < threshold.value:
            raise own.error("threshold, gate or initial potential are out of range")
        expected = threshold.value - potential - 1
    _neuron(netx.group("neuron"), expected)
    bias_shape: tuple[int | None, ...] = (shape[0],)
    if len(shape) == 3:
        wide = own.integers("bias", None, -(1 << 24), 1 << 24).shape
        bias_shape = shape if wide == shape else (shape[0], 1, 1)
    bias = own.integers("bias", bias_shape, -(1 << 24), 1 << 24).astype(np.int32)
    modules = own.json("modules")
    if not (isinstance(modules, list) and all(isinstance(module, str) for module in modules)):
        raise own.error("modules is not a list of names")
    measured = None
    samples = 0
    if own.has("membrane_measured"):
        low, high, samples = own.integers("membrane_measured", (3,), -_STATE, _STATE).tolist()
        measured = (low, high)
    low, high = own.integers("membrane_proven", (2,), -_STATE, _STATE).tolist()
    scale = own.floats("scale", (shape[0],))
    if not (scale > 0).all():
        raise own.error("scale is not positive")
    layer = Layer(
        name=own.text("name"),
        modules=tuple(modules),
        shape=shape,
        synapses=synapses,
        bias=bias,
        threshold=threshold,
        initial_potential=potential,
        gate=gate,
        scale=scale,
        membrane=Membrane((low, high), measured, samples),
    )
    own.finish()
    netx.finish()
    return layer


def _neuron(fields: Fields, threshold: int) -> None:
    fields.choice("type", "CUBA")
    found = fields.integer("vThMant", -1, READOUT_THRESHOLD)
    if found != threshold:
        raise fields.error("vThMant contradicts the snnc group", expected=str(threshold), found=str(found))
    fields.integer("iDecay", CURRENT_DECAY, CURRENT_DECAY)
    fields.integer("vDecay", VOLTAGE_DECAY, VOLTAGE_DECAY)
    fields.integer("refDelay", 1, 1)
    fields.finish()


def _synapse(
    own: Fields, weights: Fields, shapes: list[tuple[int, ...]], shape: tuple[int, ...], index: int
) -> Synapse:
    """A synapse out of the snnc group, with the weights where they are: in netx for the first one."""
    source = own.integer("source", -1, index - 1)
    kind = weights.choice("type" if weights is not own else "kind", "conv", "dense")
    if weights is not own and source != index - 1:
        raise own.error("the netx chain skips a layer", expected=str(index - 1), found=str(source))
    read = shapes[source + 1]
    if kind == "dense":
        weight = weights.integers("weight", (math.prod(shape), math.prod(read)), -256, 254)
        if len(shape) != 1:
            raise own.error("a dense synapse feeds an image", found=str(shape))
        if weights is not own:
            weights.integer("inFeatures", weight.shape[1], weight.shape[1])
            weights.integer("outFeatures", weight.shape[0], weight.shape[0])
        synapse = Synapse(source, "dense", _even(weights, weight))
    else:
        synapse = _convolution(own, weights, source, read, shape)
    own.finish()
    return synapse


def _convolution(own: Fields, weights: Fields, source: int, read: tuple[int, ...], shape: tuple[int, ...]) -> Synapse:
    if len(read) != 3 or len(shape) != 3:
        raise own.error("a convolution needs images", found=f"{read} to {shape}")
    declared = weights.integer("groups", 1, GROUPS_MAXIMUM if weights is not own else _SIZE)
    groups = own.integer("groups", 1, _SIZE)
    if groups % declared or read[0] % groups or shape[0] % groups:
        raise own.error("groups do not divide the channels", found=str(groups))
    weight = weights.integers("weight", (shape[0], read[0] // declared, None, None), -256, 254)
    stride, padding, dilation = (
        cast(tuple[int, int], tuple(weights.integers(name, (2,), low, 127).tolist()))
        for name, low in (("stride", 1), ("padding", 0), ("dilation", 1))
    )
    if weights is not own:
        weights.integer("inChannels", read[0], read[0])
        weights.integer("outChannels", shape[0], shape[0])
        kernel = tuple(weights.integers("kernelSize", (2,), 1, _SIZE).tolist())
        if kernel != weight.shape[2:]:
            raise weights.error("kernelSize contradicts the weights", expected=str(weight.shape[2:]), found=str(kernel))
    try:
        window = tuple(
            window_output(*each) for each in zip(read[1:], weight.shape[2:], stride, padding, dilation, strict=True)
        )
    except ValueError as error:
        raise own.error(f"the kernel does not fit: {error}") from error
    if window != shape[1:]:
        raise own.error("the convolution gives another shape", expected=str(shape[1:]), found=str(window))
    own_weight = original_groups(_even(weights, weight), declared, groups)
    if declared != groups and not np.array_equal(joined_groups(own_weight, groups)[0], weight):
        raise weights.error("weight connects channels of different groups", expected=f"{groups} groups")
    return Synapse(source, "conv", own_weight, stride, padding, dilation, groups)


def _even(
    fields: Fields, weight: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    if (weight & 1).any():
        raise fields.error("a weight is odd", expected="even numbers, -256..254")
    return weight.astype(np.int16)
