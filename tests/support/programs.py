"""Random programs, and a reference simulation written straight from the definition of a layer."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

import numpy as np
from hypothesis import strategies as st
from networks import pairs

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

LIMIT = 1 << 17


def weights(rng: np.random.Generator, shape: tuple[int, ...], *, limit: int = 254) -> np.ndarray:
    """Even numbers, at least one of them not 0."""
    result = 2 * rng.integers(-limit // 2, limit // 2 + 1, shape)
    result.flat[0] = 2
    return result.astype(np.int16)


@st.composite
def convolutions(draw: st.DrawFn, rng: np.random.Generator, source: int, read: tuple[int, ...], limit: int) -> Synapse:
    """A convolution of an image."""
    groups = draw(st.sampled_from([g for g in (1, 2, read[0]) if read[0] % g == 0]))
    kernel = (draw(st.integers(1, min(3, read[1]))), draw(st.integers(1, min(3, read[2]))))
    dilation = tuple(
        draw(st.integers(1, 2)) if 2 * (k - 1) < size else 1 for k, size in zip(kernel, read[1:], strict=True)
    )
    shape = (groups * draw(st.integers(1, 2)), read[0] // groups, *kernel)
    weight = weights(rng, shape, limit=limit)
    return Synapse(source, "conv", weight, draw(pairs(1, 2)), draw(pairs(0, 2)), dilation, groups)


def synapse_shape(synapse: Synapse, read: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of what a synapse feeds."""
    if synapse.kind == "dense":
        return (synapse.weight.shape[0],)
    options = zip(read[1:], synapse.weight.shape[2:], synapse.stride, synapse.padding, synapse.dilation, strict=True)
    return (synapse.weight.shape[0], *(window_output(*each) for each in options))


def reaching(rng: np.random.Generator, source: int, read: tuple[int, ...], shape: tuple[int, ...]) -> Synapse | None:
    """A second synapse, from ``read`` to ``shape``; None where this simple form does not reach it."""
    if len(shape) == 1:
        return Synapse(source, "dense", weights(rng, (shape[0], int(np.prod(read))), limit=60))
    if len(read) != 3 or read[1] < shape[1] or read[2] < shape[2]:
        return None
    kernel = (read[1] - shape[1] + 1, read[2] - shape[2] + 1)
    return Synapse(source, "conv", weights(rng, (shape[0], read[0], *kernel), limit=60))


@st.composite
def layers(draw: st.DrawFn, rng: np.random.Generator, shapes: list[tuple[int, ...]], *, last: bool) -> Layer:
    """One layer behind those of ``shapes`` (the first of them the input's)."""
    index = len(shapes) - 1
    read = shapes[-1]
    limit = draw(st.sampled_from([20, 254]))
    if len(read) == 3 and draw(st.booleans()):
        synapse = draw(convolutions(rng, index - 1, read, limit))
    else:
        synapse = Synapse(index - 1, "dense", weights(rng, (draw(st.integers(1, 5)), int(np.prod(read))), limit=limit))
    shape = synapse_shape(synapse, read)
    synapses = [synapse]
    if index and draw(st.booleans()):
        source = draw(st.integers(-1, index - 2))
        extra = reaching(rng, source, shapes[source + 1], shape)
        synapses += [extra] if extra else []
    bias_shape = shape
    if len(shape) == 3 and draw(st.booleans()):
        bias_shape = (shape[0], 1, 1)
    bias = rng.integers(-draw(st.sampled_from([1, 300])), 301, bias_shape).astype(np.int32)
    threshold = gate = None
    potential = 0
    scale = rng.random(shape[0]) + 0.1
    if not last:
        threshold = Scaled(draw(st.integers(1, 255)), draw(st.integers(0, 6)))
        potential = draw(st.integers(0, threshold.value - 1))
        gate = Gate(Scaled(255, draw(st.integers(0, 7))), draw(st.integers(1, 3)))
    measured = draw(st.sampled_from([None, (-7, 9)]))
    return Layer(
        name=f"layer{index}",
        modules=tuple(f"features.{each}" for each in range(draw(st.integers(0, 2)))),
        shape=shape,
        synapses=tuple(synapses),
        bias=bias,
        threshold=threshold,
        initial_potential=potential,
        gate=gate,
        scale=scale,
        membrane=Membrane((-1000, 2000), measured, 5 if measured else 0),
    )


@st.composite
def programs(draw: st.DrawFn, *, timesteps: int = 16, kinds: tuple[str, ...] = ("graded", "rate")) -> Program:
    """Programs of one to four layers."""
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    if draw(st.booleans()):
        shape: tuple[int, ...] = (draw(st.integers(1, 3)), draw(st.integers(1, 6)), draw(st.integers(1, 6)))
    else:
        shape = (draw(st.integers(1, 6)),)
    unit, offset, shift = rng.random((3, shape[0]))
    kind = draw(st.sampled_from(kinds))
    divisor = draw(st.sampled_from([1, 2, 8, 100, 256])) if kind == "graded" else 1
    coding = InputCoding(kind, shape, unit + 0.1, offset, unit + 0.2, shift, divisor)
    shapes = [shape]
    built = []
    for remaining in range(draw(st.integers(0, 3)), -1, -1):
        built.append(draw(layers(rng, shapes, last=not remaining)))
        shapes.append(built[-1].shape)
    provenance = Provenance("0.1.0", "ab", "cd", 3, {"timesteps": "4"}, ("näch eine", "note"))
    return Program(
        draw(st.sampled_from(["loihi1", "loihi2"])),
        draw(st.integers(1, timesteps)),
        coding,
        tuple(built),
        (AnnLayer("features.0", 123),),
        provenance,
    )


def levels_for(program: Program, samples: int = 3, seed: int = 0) -> np.ndarray:
    """Random input."""
    return np.random.default_rng(seed).integers(0, 256, (samples, *program.coding.shape)).astype(np.uint8)


def convolve(x: np.ndarray, synapse: Synapse) -> np.ndarray:
    """A convolution of one image, int64, by its definition."""
    weight = synapse.weight.astype(np.int64)
    outputs, inputs, rows, columns = weight.shape
    pad = synapse.padding
    x = np.pad(x, ((0, 0), (pad[0], pad[0]), (pad[1], pad[1])))
    spans = [d * (k - 1) + 1 for d, k in zip(synapse.dilation, (rows, columns), strict=True)]
    height, width = ((size - s) // step + 1 for size, s, step in zip(x.shape[1:], spans, synapse.stride, strict=True))
    result = np.zeros((outputs, height, width), np.int64)
    for output in range(outputs):
        first = output // (outputs // synapse.groups) * inputs
        for y in range(height):
            for z in range(width):
                top, left = y * synapse.stride[0], z * synapse.stride[1]
                window = x[
                    first : first + inputs,
                    top : top + spans[0] : synapse.dilation[0],
                    left : left + spans[1] : synapse.dilation[1],
                ]
                result[output, y, z] = (weight[output] * window).sum()
    return result


def reference(program: Program, levels: np.ndarray) -> tuple[list[np.ndarray], np.ndarray, list[tuple[int, int]]]:
    """Spikes of each layer (samples, T, *shape), the readout, and each membrane's range before resets.

    Sample by sample and step by step: ``u += synapses + bias``; fire where ``u >= theta - v0``; then ``u -= theta``.
    """
    steps = program.timesteps
    spikes = [np.zeros((len(levels), steps, *layer.shape), bool) for layer in program.spiking_layers]
    readouts = np.zeros((len(levels), *program.readout.shape), np.int64)
    ranges = [(0, 0)] * len(program.layers)
    for sample, level in enumerate(levels):
        membranes = [np.zeros(layer.shape, np.int64) for layer in program.layers]
        # The input: integrate-and-fire neurons that start halfway and send as many units as there are in them.
        unit = 255 if program.coding.kind == "rate" else program.coding.divisor
        charge = np.full(level.shape, unit // 2, np.int64)
        for step in range(steps):
            charge += level
            values = {-1: charge // unit}
            charge -= values[-1] * unit
            for index, layer in enumerate(program.layers):
                drive = np.zeros(layer.shape, np.int64) + layer.bias
                for synapse in layer.synapses:
                    value = values[synapse.source]
                    if synapse.kind == "dense":
                        drive += synapse.weight.astype(np.int64) @ value.ravel()
                    else:
                        drive += convolve(value, synapse)
                membrane = membranes[index]
                membrane += drive
                low, high = ranges[index]
                ranges[index] = (min(low, int(membrane.min())), max(high, int(membrane.max())))
                if layer.threshold is not None:
                    theta = layer.threshold.mantissa * 2**layer.threshold.exponent
                    fired = membrane >= theta - layer.initial_potential
                    membrane -= theta * fired
                    spikes[index][sample, step] = fired
                    values[index] = fired.astype(np.int64)
        readouts[sample] = membranes[-1]
    return spikes, readouts, ranges


def assert_same(found: object, expected: object, place: str = "program") -> None:
    """Equal in every field, arrays in type and value."""
    assert type(found) is type(expected), place
    if is_dataclass(expected):
        for field in fields(expected):
            assert_same(getattr(found, field.name), getattr(expected, field.name), f"{place}.{field.name}")
    elif isinstance(expected, tuple):
        assert len(found) == len(expected), place
        for index, (left, right) in enumerate(zip(found, expected, strict=True)):
            assert_same(left, right, f"{place}[{index}]")
    elif isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype and found.shape == expected.shape, place
        assert np.array_equal(found, expected), place
    else:
        assert found == expected, place
