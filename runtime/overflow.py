"""What left the chip's 24 bits in a run, for backends that cannot see it, and in words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.program import CompiledNetwork, SigmaDeltaProgram
from snnc.runtime.result import RunResult


def count_overflows(program: CompiledNetwork, levels: NDArray[np.uint8]) -> tuple[int, ...]:
    """``RunResult.wraps`` of samples, by the native simulator, which another backend agrees with.

    Nothing is computed where every layer is proven never to overflow.

    Args:
        program: The program.
        levels: Input levels, (samples, *input shape).
    """
    if isinstance(program, SigmaDeltaProgram):
        from snnc.runtime.sigma_delta import SigmaDeltaSimulator

        wraps = SigmaDeltaSimulator(program).run(levels).wraps
    else:
        from snnc.runtime.simulator import Simulator

        simulator = Simulator(program)
        # Levels that the data never had are no part of the proof.
        if all(simulator.proven) and int(levels.max(initial=0)) <= program.coding.highest:
            return (0,) * len(program.layers)
        wraps = simulator.run(levels).wraps
    assert wraps is not None
    return wraps


def overflow_messages(program: CompiledNetwork, result: RunResult) -> tuple[str, ...]:
    """A sentence for each layer that overflowed; nothing where none did."""
    advice = "data like these or a smaller T, or with --strict, which proves that it cannot happen"
    if isinstance(program, SigmaDeltaProgram):
        advice = "data like these"
    return tuple(
        f"layer {layer.name}: the membrane potential overflowed {wraps:,} times, so the result means nothing; compile "
        f"again with {advice}"
        for layer, wraps in zip(program.layers, result.wraps or (), strict=False)
        if wraps
    )
