"""Random programs, and whether two of them are equal."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace

import numpy as np
from hypothesis import strategies as st

from snnc.program import AnnLayer, Entries, Gate, InputCoding, Layer, Membrane, Program, Provenance, Scaled, Synapse
from snnc.program.connections import window_output
from support.networks import pairs

LIMIT = 1 << 17
SIZES = st.integers(1, 5)


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


def sparse(rng: np.random.Generator, source: int, read: tuple[int, ...], shape: tuple[int, ...]) -> Synapse:
    """Some connections from ``read`` to ``shape``; some neurons have none."""
    matrix = rng.random((int(np.prod(shape)), int(np.prod(read)))) < 0.3
    matrix[-1, 0] = True
    rows, columns = np.nonzero(matrix)
    starts = np.searchsorted(rows, np.arange(len(matrix) + 1))
    entries = Entries(starts.astype(np.int32), columns.astype(np.int32))
    return Synapse(source, "sparse", weights(rng, columns.shape, limit=60), entries=entries)


@st.composite
def first_synapses(
    draw: st.DrawFn, rng: np.random.Generator, source: int, read: tuple[int, ...]
) -> tuple[Synapse, tuple[int, ...]]:
    """A synapse that reads ``read``, and the shape of what it feeds."""
    limit = draw(st.sampled_from([20, 254]))
    kind = draw(st.sampled_from(["conv", "conv", "dense", "dense", "sparse"]))
    if kind == "conv" and len(read) == 3:
        synapse = draw(convolutions(rng, source, read, limit))
    elif kind == "sparse":
        shape: tuple[int, ...] = draw(st.one_of(st.tuples(SIZES), st.tuples(SIZES, SIZES, SIZES)))
        return replace(sparse(rng, source, read, shape), exponent=draw(st.integers(0, 2))), shape
    else:
        synapse = Synapse(source, "dense", weights(rng, (draw(SIZES), int(np.prod(read))), limit=limit))
    # With an exponent it cannot be part of the netx chain.
    return replace(synapse, exponent=draw(st.sampled_from([0, 0, 0, 0, 1]))), synapse_shape(synapse, read)


@st.composite
def further_synapses(
    draw: st.DrawFn, rng: np.random.Generator, source: int, read: tuple[int, ...], shape: tuple[int, ...]
) -> Synapse:
    """A synapse from ``read`` to ``shape``."""
    synapse = reaching(rng, source, read, shape) if draw(st.booleans()) else None
    return replace(synapse or sparse(rng, source, read, shape), exponent=draw(st.integers(0, 3)))


@st.composite
def layers(
    draw: st.DrawFn, rng: np.random.Generator, shape: tuple[int, ...], built: list[Layer], *, lead: int, last: bool
) -> Layer:
    """One more layer behind those that are built, whose input has a shape; the last one reads whatever nobody reads."""
    index = len(built)
    shapes = [shape, *(layer.shape for layer in built)]
    depths = [-1]  # of what would read the layer's spikes as they leave, less one
    for layer in built:
        arrival = depths[layer.synapses[0].source + 1] + 1 + layer.synapses[0].hold
        depths.append(arrival if layer.memoryless else arrival + lead)
    anything = st.integers(-1, index - 1)
    main = draw(st.one_of(st.just(index - 1), st.just(index - 1), anything))
    synapse, shape = draw(first_synapses(rng, main, shapes[main + 1]))
    read = {each.source for layer in built for each in layer.synapses} | {main}
    sources = [each for each in range(index) if each not in read] if last else []
    sources += draw(st.lists(anything, max_size=2))
    synapses = [synapse, *(draw(further_synapses(rng, each, shapes[each + 1], shape)) for each in sources)]
    if draw(st.sampled_from([False, False, False, False, True])):
        synapses[-1] = replace(synapses[-1], hold=draw(st.integers(1, 3)))
    # The spikes of the first one arrive last.
    synapses.sort(key=lambda each: -depths[each.source + 1] - each.hold)
    memoryless = not last and draw(st.sampled_from([False, False, True]))
    bias_shape = (shape[0], 1, 1) if len(shape) == 3 and (memoryless or draw(st.booleans())) else shape
    bias = rng.integers(-draw(st.sampled_from([1, 300])), 301, bias_shape).astype(np.int32)
    threshold = gate = None
    potential = 0
    if not last:
        threshold = Scaled(draw(st.integers(1, 255)), draw(st.integers(0, 6)))
        if not memoryless:
            potential = draw(st.integers(0, threshold.value - 1))
            gate = Gate(Scaled(255, draw(st.integers(0, 7))), draw(st.integers(1, 3)))
    measured = draw(st.sampled_from([None, (-7, 9)]))
    return Layer(
        name=f"layer{index}",
        modules=tuple(f"features.{each}" for each in range(draw(st.integers(0, 2)))),
        shape=shape,
        synapses=tuple(synapses),
        bias=0 * bias if memoryless else bias,
        threshold=threshold,
        initial_potential=potential,
        gate=gate,
        scale=rng.random(shape[0]) + 0.1,
        membrane=Membrane((-1000, 2000), measured, 5 if measured else 0),
        memoryless=memoryless,
    )


@st.composite
def programs(
    draw: st.DrawFn, *, timesteps: int = 16, kinds: tuple[str, ...] = ("graded", "rate"), leads: bool = False
) -> Program:
    """Programs of one to five layers: chains, branches and shortcuts, memoryless layers, synapses of every kind.

    With ``leads`` about half of them have a lead.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    if draw(st.booleans()):
        shape: tuple[int, ...] = (draw(st.integers(1, 3)), draw(st.integers(1, 6)), draw(st.integers(1, 6)))
    else:
        shape = (draw(st.integers(1, 6)),)
    unit, offset, shift = rng.random((3, shape[0]))
    kind = draw(st.sampled_from(kinds))
    divisor = draw(st.sampled_from([1, 2, 8, 100, 256])) if kind == "graded" else 1
    coding = InputCoding(kind, shape, unit + 0.1, offset, unit + 0.2, shift, divisor)
    steps = draw(st.integers(1, timesteps))
    lead = draw(st.sampled_from([0, *range(1, steps + 1)])) if leads else 0
    built: list[Layer] = []
    for remaining in range(draw(st.integers(0, 4)), -1, -1):
        built.append(draw(layers(rng, shape, built, lead=lead, last=not remaining)))
    provenance = Provenance("0.1.0", "ab", "cd", 3, {"timesteps": 4}, ("näch eine", "note"))
    return Program(
        # Loihi 1 has no graded spikes.
        draw(st.sampled_from(["loihi1", "loihi2"] if kind == "rate" else ["loihi2"])),
        steps,
        coding,
        tuple(built),
        (AnnLayer("features.0", 123),),
        provenance,
        lead,
    )


def small_program(*, timesteps: int, divisor: int = 1) -> Program:
    """Input of 2 x 4 x 4, two convolutions and a readout."""
    rng = np.random.default_rng(0)
    ones = np.ones(2)
    coding = InputCoding("graded", (2, 4, 4), ones, 0 * ones, ones, 0 * ones, divisor)

    def layer(index: int, synapse: Synapse, shape: tuple[int, ...]) -> Layer:
        last = len(shape) == 1
        return Layer(
            name=f"layer{index}",
            modules=(),
            shape=shape,
            synapses=(synapse,),
            bias=np.zeros((shape[0], *(1,) * (len(shape) - 1)), np.int32),
            threshold=None if last else Scaled(200, 0),
            initial_potential=0,
            gate=None if last else Gate(Scaled(255, 7), 1),
            scale=np.ones(shape[0]),
            membrane=Membrane((0, 0)),
        )

    def convolution(source: int, channels: int) -> Synapse:
        return Synapse(source, "conv", weights(rng, (3, channels, 3, 3), limit=20), padding=(1, 1))

    layers = (
        layer(0, convolution(-1, 2), (3, 4, 4)),
        layer(1, convolution(0, 3), (3, 4, 4)),
        layer(2, Synapse(1, "dense", weights(rng, (5, 48))), (5,)),
    )
    return Program("loihi2", timesteps, coding, layers, (), Provenance("", "", "", 0))


def levels_for(program: Program, samples: int = 3, seed: int = 0) -> np.ndarray:
    """Random input."""
    return np.random.default_rng(seed).integers(0, 256, (samples, *program.coding.shape)).astype(np.uint8)


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
