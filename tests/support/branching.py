"""A small program that is no chain: a branch, a shortcut for each channel, graded input past the first layer."""

from __future__ import annotations

import numpy as np

from snnc.program import Entries, Gate, InputCoding, Layer, Membrane, Program, Provenance, Scaled, Synapse
from snnc.program.targets import LOIHI2


def branching() -> Program:
    """Input 2×4×4; two convolutions and beside them a maximum pooling, which meet in a third; features."""
    rng = np.random.default_rng(7)

    def even(*shape: int, largest: int = 60) -> np.ndarray:
        return (2 * rng.integers(-largest // 3, largest // 2, shape)).astype(np.int16)

    def entries(rows: int, *columns: int) -> Entries:
        """One weight for some of the last rows."""
        starts = np.maximum(np.arange(rows + 1) - rows + len(columns), 0)
        return Entries(starts.astype(np.int32), np.array(columns, np.int32))

    def layer(name: str, shape: tuple[int, ...], *synapses: Synapse, theta: int = 0) -> Layer:
        biases = (shape[0],) + (1,) * (len(shape) - 1)
        bias = rng.integers(-20, 40, biases).astype(np.int32)
        threshold, potential, gate = None, 0, None
        if theta:
            threshold, gate = Scaled.below(theta, LOIHI2), Gate(Scaled(255, 6), 1)
            potential = threshold.value // 2
        scale = np.ones(shape[0])
        return Layer(name, (name,), shape, synapses, bias, threshold, potential, gate, scale, Membrane((0, 1)))

    window = np.full((4, 1, 2, 2), 2, np.int16)
    pool = Layer(
        "pool", (), (4, 2, 2), (Synapse(0, "conv", window, (2, 2), groups=4),), np.zeros((4, 1, 1), np.int32),
        Scaled(2, 0), 0, None, np.ones(4), Membrane((0, 8)), memoryless=True,
    )  # fmt: skip
    layers = (
        layer("first", (4, 4, 4), Synapse(-1, "conv", even(4, 2, 3, 3, largest=16), padding=(1, 1)), theta=1500),
        layer("second", (4, 4, 4), Synapse(0, "conv", even(4, 4, 3, 3), padding=(1, 1)), theta=150),
        pool,
        layer(
            "meeting",
            (4, 2, 2),
            Synapse(1, "conv", even(4, 4, 3, 3), (2, 2), (1, 1)),
            Synapse(2, "conv", even(4, 1, 1, 1), groups=4, exponent=2),
            Synapse(-1, "sparse", even(5, largest=8), exponent=1, entries=entries(16, 31, 0, 7, 16, 2)),
            theta=400,
        ),
        layer(
            "end",
            (5,),
            Synapse(3, "dense", even(5, 16)),
            Synapse(1, "dense", even(5, 64)),
            Synapse(0, "sparse", even(4), exponent=3, entries=entries(5, 63, 0, 20, 5)),
        ),
    )
    ones = np.ones(2)
    coding = InputCoding("graded", (2, 4, 4), ones / 3, ones * -2.5, ones / 7, -ones, 4)
    return Program("loihi2", 7, coding, layers, (), Provenance("0.1.0", "a" * 64, "b" * 64, 12))
