"""What the neurons of a sigma-delta program do on the calibration data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.program import SigmaDeltaProgram
from snnc.compiler.program.sigma_delta import ACTIVATION_LIMIT, EXACT_LIMIT, STATE_LIMIT


def measure(program: SigmaDeltaProgram, levels: NDArray[np.uint8]) -> tuple[SigmaDeltaProgram, tuple[float, ...]]:
    """Runs the simulator.

    Args:
        program: The program.
        levels: Calibration data as input levels.

    Returns:
        The program with measured ranges, and for each layer the share of its ranges that was used: 1 is where a value
        leaves them, or no longer fits the single precision of Lava's convolutions.
    """
    # As in measure_membranes: what is measured is what will run.
    from snnc.runtime.sigma_delta import SigmaDeltaSimulator

    simulator = SigmaDeltaSimulator(program)
    simulator.run(levels)
    assert simulator.extremes is not None
    layers, shares = [], []
    for layer, found in zip(program.layers, simulator.extremes, strict=True):
        measured = replace(layer.membrane, measured=(found.low, found.high), samples=len(levels))
        layers.append(replace(layer, membrane=measured))
        highest = STATE_LIMIT if layer.delta_threshold is None else ACTIVATION_LIMIT
        sums = (max(-found.low, found.drive) / STATE_LIMIT, found.high / highest, found.size / EXACT_LIMIT)
        shares.append(max(sums))
    return replace(program, layers=tuple(layers)), tuple(shares)
