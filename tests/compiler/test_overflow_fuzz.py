"""No input makes a proven layer overflow; where membranes do wrap, Lava's wrap alike.

A short form; ``make reliability`` runs eighty times as many examples.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st
from support.examples import share
from support.networks import Case, dense_cases, image_cases, pooled_cases
from support.programs import levels_for, programs
from support.runs import assert_equal_results
from support.worst_inputs import worst_inputs
from torch import nn

from snnc.common.errors import TargetError, UnsupportedError
from snnc.compiler.options import CompileOptions
from snnc.compiler.pipeline import compile_module
from snnc.program import Gate, Program
from snnc.program.bounds import drive_bounds, highest_silenced, is_safe, program_safety, window
from snnc.program.targets import get_target
from snnc.runtime.lava import run_lava
from snnc.runtime.simulator import Simulator
from snnc.runtime.simulator.kernel import LayerKernel

QUICK = settings.get_profile("quick").max_examples
pytestmark = pytest.mark.timeout(300 if settings().max_examples <= QUICK else 0)
# Each example of these builds Lava networks, or compiles one: some seconds.
FEWER = share(5)
seeds = st.integers(0, 2**20)


def drive_of(program: Program, index: int) -> tuple[int, int]:
    layer = program.layers[index]
    low, high = drive_bounds(layer.shape, layer.synapses, program.sources(index))
    return int((low + layer.bias).min()), int((high + layer.bias).max())


def with_sufficient_gates(program: Program) -> Program:
    """The same with the gates that the bounds ask for."""
    layers = []
    for index, layer in enumerate(program.layers):
        if layer.gate:
            lead = program.lead_of(index)
            drive = drive_of(program, index)
            bounds = window(*drive, layer.threshold.value, layer.firing_level, program.timesteps, lead)
            needed = highest_silenced(bounds, max(0, int(layer.bias.max())), lead) - layer.firing_level + 1
            layer = replace(layer, gate=Gate.above(needed, get_target(program.target)))
        layers.append(layer)
    return replace(program, layers=tuple(layers))


def tightest_limit(program: Program, index: int) -> int:
    """The smallest range of the membrane for which a layer is still proven."""
    layer, drive, lead = program.layers[index], drive_of(program, index), program.lead_of(index)
    low, high = 0, 1 << 50
    while high - low > 1:
        middle = (low + high) // 2
        safe = is_safe(layer, drive, program.timesteps, middle, lead)
        low, high = (low, middle) if safe else (middle, high)
    return high


def watched(program: Program) -> Simulator:
    """A simulator that counts what gates let through of proven layers too, which it otherwise takes as read."""
    simulator = Simulator(program)
    for kernel in simulator._kernels:
        kernel.proven = False
    return simulator


@given(programs(leads=True), seeds)
def test_the_worst_input_overflows_no_proven_layer(program: Program, seed: int) -> None:
    program, rng = with_sufficient_gates(program), np.random.default_rng(seed)
    for index, layer in enumerate(program.layers):
        # With a range that is hardly large enough every layer comes near to its end.
        kernel = LayerKernel(program, index, tightest_limit(program, index), torch.device("cpu"))
        assert kernel.proven
        kernel.proven = False  # so that it counts what its gate lets through
        neuron = int(rng.integers(layer.neurons))
        inputs = [torch.as_tensor(each) for each in worst_inputs(program, index, neuron, rng)]
        wraps = kernel.run(inputs).wraps
        assert not wraps, f"{layer.name} is proven, and overflowed {wraps} times"


def made_extreme(module: nn.Module, rng: np.random.Generator) -> nn.Module:
    """Some weights and biases far larger than the others, or all of one sign."""
    for parameter in module.parameters():
        kind = rng.integers(5)
        if kind == 0:
            parameter.data *= float(10.0 ** rng.uniform(-3, 3))
        elif kind == 1:
            parameter.data.view(-1)[int(rng.integers(parameter.numel()))] *= 1000
        elif kind == 2:
            parameter.data.abs_()
        elif kind == 3:
            parameter.data = -parameter.data.abs()
    return module


def extreme_levels(case: Case, rng: np.random.Generator) -> np.ndarray:
    """All dark, all bright, noise of two values, and noise; uint8 levels, (8, *shape)."""
    shape = case.levels.shape[1:]
    levels = rng.integers(0, 256, (8, *shape)).astype(np.uint8)
    levels[0], levels[1] = 0, 255
    levels[2:5] = 255 * rng.integers(0, 2, (3, *shape))
    return levels


@settings(max_examples=FEWER)
@given(
    st.one_of(image_cases(), pooled_cases(), dense_cases()),
    st.integers(1, 32),
    st.sampled_from(["loihi1", "loihi2"]),
    st.booleans(),
    seeds,
)
def test_no_proven_layer_of_an_extreme_network_overflows(
    case: Case, timesteps: int, target: str, strict: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    lead = int(rng.integers(0, timesteps + 1)) if seed % 2 else 0
    options = CompileOptions(target=target, timesteps=timesteps, threshold="max", lead=lead, strict=strict)
    module = made_extreme(case.module, rng)
    try:
        program = compile_module(module, case.levels / 255, options, unit=1 / 255).program
    except (UnsupportedError, TargetError):
        reject()  # no ReLU, all weights round to zero, or nothing can be proven: other tests look at what is refused
    chip = get_target(target)
    safety = program_safety(program, chip.membrane_limit, chip.input_limit)
    assert all(each.proven for each in safety) or not strict
    assert all(each.proven or each.margin >= 1 for each in safety)
    wraps = watched(program).run(program.coding.levels(extreme_levels(case, rng) / 255)).wraps
    for layer, known, count in zip(program.layers, safety, wraps, strict=True):
        assert not (known.proven and count), f"{layer.name} is proven, and overflowed {count} times"


def driven_hard(program: Program, exponent: int) -> Program:
    """The same for 32 steps, with every weight so many powers of two larger, as far as synapses hold them."""
    layers = []
    for layer in program.layers:
        synapses = tuple(replace(each, exponent=min(7, each.exponent + exponent)) for each in layer.synapses)
        layers.append(replace(layer, synapses=synapses))
    return replace(program, layers=tuple(layers), timesteps=32)


def without_gates(program: Program) -> Program:
    return replace(program, layers=tuple(replace(layer, gate=None) for layer in program.layers))


# With an exponent of their own synapses are no part of the chain that netx loads.
exponents = st.sampled_from([0, 0, 2, 5])


@pytest.mark.lava
@settings(max_examples=FEWER)
@given(programs(timesteps=12), exponents, st.integers(0, 255))
def test_lava_wraps_as_the_simulator_does(program: Program, exponent: int, level: int) -> None:
    """What the gate does to a sample that overflowed is seen in the next one: here it is the only one."""
    program = driven_hard(program, exponent)
    levels = np.maximum(levels_for(program, 1), level).astype(np.uint8)
    simulated = Simulator(program).run(levels, record=True)
    assume(any(Simulator(without_gates(program)).run(levels).wraps))
    assert_equal_results(simulated, run_lava(program, levels))


@pytest.mark.lava
@settings(max_examples=FEWER)
@given(programs(timesteps=12, leads=True), exponents)
def test_lava_wraps_as_the_simulator_does_in_a_stream_of_samples(program: Program, exponent: int) -> None:
    program = with_sufficient_gates(driven_hard(program, exponent))
    levels = levels_for(program, 3)
    levels[0] = 255
    simulated = Simulator(program).run(levels, record=True)
    # Readouts and memoryless layers have no gate to defeat.
    gated = [wraps for layer, wraps in zip(program.layers, simulated.wraps, strict=True) if layer.gate]
    assume(any(simulated.wraps) and not any(gated))
    assert_equal_results(simulated, run_lava(program, levels))
