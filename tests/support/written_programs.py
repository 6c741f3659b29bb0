"""Programs to write to a .net file: one with something of everything, one of many groups."""

from __future__ import annotations

import functools

import numpy as np

from snnc.program import AnnLayer, Gate, InputCoding, Layer, Membrane, Program, Provenance, Scaled, Synapse
from snnc.program.net.writer import to_bytes


def sample(*, groups: int = 2, seed: int = 0) -> Program:
    """conv -> conv with a skip -> dense; something of everything."""
    rng = np.random.default_rng(seed)
    ones = np.ones(4)

    def even(*shape: int) -> np.ndarray:
        return (2 * rng.integers(-128, 128, shape)).astype(np.int16)

    common = {"gate": Gate(Scaled(200, 3), 2), "initial_potential": 100, "scale": ones * 0.5}
    layers = (
        Layer(
            "relu1",
            ("conv1", "bn1", "relu1"),
            (4, 5, 3),
            (Synapse(-1, "conv", even(4, 4 // groups, 2, 3), (1, 2), (0, 1), (2, 1), groups),),
            rng.integers(-500, 500, (4, 5, 3)).astype(np.int32),
            Scaled(250, 2),
            membrane=Membrane((-4000, 9000), (-10, 700), 12),
            **common,
        ),
        Layer(
            "relu2",
            ("conv2", "relu2"),
            (4, 3, 1),
            (Synapse(0, "conv", even(4, 4, 3, 3)), Synapse(-1, "conv", even(4, 2, 5, 5), (1, 1), (0, 0), (1, 1), 2)),
            rng.integers(-500, 500, (4, 1, 1)).astype(np.int32),
            Scaled(130, 1),
            membrane=Membrane((-1, 2)),
            **common,
        ),
        Layer(
            "fc",
            ("fc",),
            (3,),
            (Synapse(1, "dense", even(3, 12)), Synapse(0, "dense", even(3, 60))),
            rng.integers(-500, 500, (3,)).astype(np.int32),
            None,
            0,
            None,
            rng.random(3),
            Membrane((-7, 7), (-3, 3), 12),
        ),
    )
    coding = InputCoding("graded", (4, 7, 5), ones / 3, ones * -2.5, ones / 7, -ones, 8)
    provenance = Provenance("0.1.0", "a" * 64, "b" * 64, 12, {"timesteps": 8, "mean": (0.1, 0.2)}, ("ein Wört",))
    return Program("loihi2", 8, coding, layers, (AnnLayer("conv1", 1000), AnnLayer("fc", 36)), provenance)


@functools.cache
def content() -> bytes:
    return to_bytes(sample())


def wide(groups: int) -> Program:
    """A depthwise layer of many channels."""
    ones = np.ones(groups)
    weight = (2 * np.random.default_rng(0).integers(1, 100, (groups, 1, 2, 2))).astype(np.int16)
    conv = Layer(
        "conv", ("conv",), (groups, 2, 2), (Synapse(-1, "conv", weight, groups=groups),),
        np.zeros((groups, 1, 1), np.int32), Scaled(9, 1), 3, Gate(Scaled(255, 0), 1), ones, Membrane((0, 1)),
    )  # fmt: skip
    fc = Layer(
        "fc", ("fc",), (2,), (Synapse(0, "dense", np.full((2, 4 * groups), 2, np.int16)),),
        np.zeros(2, np.int32), None, 0, None, np.ones(2), Membrane((0, 1)),
    )  # fmt: skip
    coding = InputCoding("graded", (groups, 3, 3), ones, ones, ones, ones)
    return Program("loihi2", 4, coding, (conv, fc), (), Provenance("", "", "", 0))
