"""Input that drives a neuron as far as it goes, and back."""

from __future__ import annotations

import numpy as np

from snnc.program import Program

SEQUENCES = 8


def worst_inputs(program: Program, index: int, neuron: int, rng: np.random.Generator) -> list[np.ndarray]:
    """For each synapse of a layer what its source sends, uint8, (T, SEQUENCES, *source shape).

    What raises a neuron's potential comes in every step, or never; or first and then what lowers it, for a number of
    steps drawn by lot; or the other way round; or one or the other, or nothing, or anything, by lot.
    """
    steps, layer = program.timesteps, program.layers[index]
    turn = int(rng.integers(0, steps + 1))
    early = np.arange(steps) < turn
    plans = [
        np.full(steps, 1),
        np.full(steps, -1),
        np.where(early, 1, -1),
        np.where(early, -1, 1),
        np.where(early, 0, 1),
        rng.choice([1, -1], steps),
        rng.choice([1, -1, 0], steps),
        rng.choice([1, 2], steps),
    ]
    assert len(plans) == SEQUENCES
    sent = []
    for synapse, (shape, largest) in zip(layer.synapses, program.sources(index), strict=True):
        weight = synapse.matrix(shape).toarray().astype(np.int64)[neuron].reshape(shape)
        values = np.zeros((steps, SEQUENCES, *shape), np.uint8)
        for row, plan in enumerate(plans):
            for step, direction in enumerate(plan):
                if direction == 2:
                    values[step, row] = rng.integers(0, largest + 1, shape)
                elif direction:
                    values[step, row] = largest * (weight * direction > 0)
        sent.append(values)
    return sent
