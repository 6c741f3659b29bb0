"""Whether the simulator and Lava do the same."""

from __future__ import annotations

import numpy as np

from snnc.compiler.program import Program
from snnc.runtime.lava import run_lava
from snnc.runtime.simulator import Simulator


def assert_equal_runs(program: Program, levels: np.ndarray) -> int:
    """Every spike and every readout; gives the number of spikes."""
    simulated = Simulator(program).run(levels, record=True)
    run = run_lava(program, levels)
    assert simulated.wraps is not None and not any(simulated.wraps)
    assert simulated.spikes is not None and run.spikes is not None
    for layer, expected, found in zip(program.spiking_layers, simulated.spikes, run.spikes, strict=True):
        assert np.array_equal(found, expected), f"{layer.name}: {(found != expected).sum()} spikes differ"
    assert np.array_equal(run.readout, simulated.readout)
    for expected, found in zip(simulated.spike_counts, run.spike_counts, strict=True):
        assert np.array_equal(found, expected)
    assert np.array_equal(run.input_counts, simulated.input_counts)
    return int(sum(spikes.sum() for spikes in simulated.spikes))
