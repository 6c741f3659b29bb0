"""Whether the simulator and Lava do the same."""

from __future__ import annotations

import numpy as np

from snnc.program import Program
from snnc.runtime.lava import LAVA_MODELS, run_lava
from snnc.runtime.options import LavaOptions
from snnc.runtime.result import RunResult
from snnc.runtime.simulator import Simulator


def assert_equal_runs(program: Program, levels: np.ndarray, models: tuple[str, ...] = LAVA_MODELS) -> int:
    """Every spike and every readout, with our process models and with Lava's; gives the number of spikes."""
    simulated = Simulator(program).run(levels, record=True)
    assert simulated.wraps is not None and not any(simulated.wraps)
    assert simulated.spikes is not None
    for each in models:
        assert_equal_results(simulated, run_lava(program, levels, LavaOptions(lava_models=each)))
    return int(sum(spikes.sum() for spikes in simulated.spikes))


def assert_equal_results(expected: RunResult, found: RunResult) -> None:
    """Everything but the wraps, which Lava itself does not tell."""
    assert np.array_equal(found.readout, expected.readout)
    assert np.array_equal(found.input_counts, expected.input_counts)
    for index, (one, other) in enumerate(zip(expected.spike_counts, found.spike_counts, strict=True)):
        assert np.array_equal(one, other), f"layer {index}: counts differ"
    assert (expected.spikes is None) == (found.spikes is None)
    for index, (one, other) in enumerate(zip(expected.spikes or (), found.spikes or (), strict=True)):
        assert np.array_equal(one, other), f"layer {index}: {(one != other).sum()} spikes differ"


def assert_same_run(found: RunResult, expected: RunResult) -> None:
    """Everything, wraps and what shorter runs give too."""
    assert_equal_results(expected, found)
    assert found.wraps == expected.wraps
    assert list(found.earlier) == list(expected.earlier)
    for steps, result in expected.earlier.items():
        assert_same_run(found.earlier[steps], result)
