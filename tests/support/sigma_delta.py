"""Random chains for sigma-delta neurons, and those neurons step by step as Lava's models define them."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from torch import nn

import snnc
from snnc.compiler.ir import Affine
from snnc.models.data import Dataset
from snnc.program import SigmaDeltaProgram
from support.networks import Case, affines, output_shape, randomize


@st.composite
def chains(draw: st.DrawFn, *, images: bool | None = None) -> Case:
    """Convolutions, average pooling without overlap, dense layers; all that sigma-delta neurons take."""
    seed = draw(st.integers(0, 2**20))
    layers: list[nn.Module] = []
    first: tuple[int, ...]
    if draw(st.booleans()) if images is None else images:
        first = (draw(st.integers(1, 3)), draw(st.integers(4, 8)), draw(st.integers(4, 8)))
        shape = first
        for _ in range(draw(st.integers(1, 2))):
            kernel = draw(st.sampled_from([1, 3]))
            groups = draw(st.sampled_from([each for each in (1, shape[0]) if shape[0] % each == 0]))
            layers.append(
                nn.Conv2d(
                    shape[0],
                    groups * draw(st.integers(1, 3)),
                    kernel,
                    draw(st.integers(1, 2)),
                    padding=draw(st.integers(0, kernel // 2)),
                    groups=groups,
                    bias=draw(st.booleans()),
                )
            )
            if draw(st.booleans()):
                layers.append(nn.BatchNorm2d(layers[-1].out_channels))
            layers.append(nn.ReLU())
            shape = output_shape(nn.Sequential(*layers), first)
            if min(shape[1:]) < 3:
                break
        if min(shape[1:]) >= 2 and draw(st.booleans()):
            layers.append(nn.AvgPool2d(2))
        layers.append(nn.Flatten())
    else:
        first = (draw(st.integers(1, 8)),)
        layers += [nn.Linear(first[0], 6), nn.ReLU()]
    for _ in range(draw(st.integers(0, 2))):
        features = output_shape(nn.Sequential(*layers), first)[0]
        layers += [nn.Linear(features, draw(st.integers(2, 6)), bias=draw(st.booleans())), nn.ReLU()]
    features = output_shape(nn.Sequential(*layers), first)[0]
    layers.append(nn.Linear(features, draw(st.integers(1, 4))))
    levels = np.random.default_rng(seed).integers(0, 256, (6, *first)).astype(np.uint8)
    levels[0], levels[1] = 255, 0
    return Case(randomize(nn.Sequential(*layers), seed), first, draw(affines(first[0])), levels)


def dataset(case: Case) -> Dataset:
    """Its levels as images of 8 bits."""
    return Dataset("case", case.levels, None, 1 / 255)


def compiled(case: Case, **options: object) -> SigmaDeltaProgram:
    """A case, compiled to sigma-delta neurons on its own levels."""
    std = 1 / 255 / case.affine.scale
    program = snnc.compile(
        case.module.eval(),
        dataset(case),
        neuron="sdnn",
        mean=(-case.affine.shift * std).tolist(),
        std=std.tolist(),
        **options,
    )
    assert isinstance(program, SigmaDeltaProgram)
    return program


def reference(program: SigmaDeltaProgram, levels: np.ndarray, *, rest: int) -> tuple[list[np.ndarray], np.ndarray]:
    """One sample, step by step, all layers in every step, by the formulas of lava/proc/sdn/models.py.

    Args:
        program: The program.
        levels: The sample.
        rest: Steps before it in which nothing is at the input.

    Returns:
        For each layer that sends what it sent in each step, (rest + T, neurons), and the readout's sums, likewise.
    """
    matrices = [
        layer.synapse.matrix(program.source_shape(index - 1)).astype(np.int64)
        for index, layer in enumerate(program.layers)
    ]
    biases = [
        np.broadcast_to(layer.bias.reshape(-1, *(1,) * (len(layer.shape) - 1)), layer.shape).ravel()
        for layer in program.layers
    ]
    sizes = [layer.neurons for layer in program.layers]
    sigma, act, residue = ([np.zeros(size, np.int64) for size in sizes] for _ in range(3))
    input_act = np.zeros(levels.size, np.int64)
    # What synapses received a step ago.
    buffers = [np.zeros(size, np.int64) for size in sizes]
    sent: list[list[np.ndarray]] = [[] for _ in sizes]
    for step in range(rest + program.timesteps):
        now = (levels.ravel().astype(np.int64) if step >= rest else np.zeros(levels.size, np.int64)) << 12
        message = (now - input_act) >> 6
        input_act = now
        for index, layer in enumerate(program.layers):
            sigma[index] = sigma[index] + buffers[index]
            buffers[index] = matrices[index] @ message
            if layer.delta_threshold is None:
                sent[index].append(sigma[index].copy())
                continue
            new = np.maximum(sigma[index] + (biases[index].astype(np.int64) << 12), 0)
            delta = new - act[index] + residue[index]
            out = np.where(abs(delta) >= layer.delta_threshold << 12, delta, 0)
            residue[index] = delta - out
            act[index] = new
            message = out >> 6
            sent[index].append(message)
    *messages, readout = (np.stack(each) for each in sent)
    return messages, readout


def dense_chain() -> Case:
    """Two dense layers, always the same: of 4 inputs, 3 hidden neurons and 2 outputs."""
    module = randomize(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)), 0)
    levels = np.random.default_rng(0).integers(0, 256, (80, 4)).astype(np.uint8)
    return Case(module, (4,), Affine(np.full(4, 1 / 255), np.zeros(4)), levels)


def convolutional_chain() -> Case:
    """A convolution, pooling and dense layers, always the same, whose messages fill their range."""
    module = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(8, 6, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(6 * 9, 32),
        nn.ReLU(),
        nn.Linear(32, 5),
    )
    levels = np.random.default_rng(1).integers(0, 256, (80, 1, 6, 6)).astype(np.uint8)
    return Case(randomize(module, 1), (1, 6, 6), Affine(np.array([1 / 255]), np.array([0.0])), levels)
