"""Lava fires every spike of the simulator where a network branches, skips and joins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from support.branching import branching
from support.examples import share
from support.programs import levels_for, programs
from support.residual import residual
from support.runs import assert_equal_runs
from torch import nn

from snnc.common.errors import BackendError
from snnc.compiler.options import CompileOptions
from snnc.compiler.pipeline import compile_module
from snnc.models import resnet20
from snnc.program import InputCoding, Program
from snnc.runtime.lava import run_lava
from snnc.runtime.simulator import Simulator


@pytest.mark.lava
@pytest.mark.timeout(600)
@settings(max_examples=share(5))
@given(programs(timesteps=6))
def test_random_programs(program: Program) -> None:
    levels = levels_for(program, 3)
    result = Simulator(program).run(levels)
    # Past the chip's range the two need not agree; chains of one or two layers have their own tests.
    assume(not any(result.wraps or ()) and len(program.layers) > 2)
    assert_equal_runs(program, levels)


@pytest.mark.lava
@pytest.mark.timeout(280)
@pytest.mark.parametrize(("pooling", "target"), [("or", "loihi2"), ("exact", "loihi1")])
def test_a_residual_network(pooling: str, target: str) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (16, 2, 8, 8)).astype(np.uint8)
    options = CompileOptions(target=target, timesteps=6, max_pool=pooling)
    program = compile_module(residual(), levels / 255, options, unit=1 / 255).program
    delays = {program.delay(index, each) for index, layer in enumerate(program.layers) for each in layer.synapses}
    assert max(delays) > 0
    assert assert_equal_runs(program, program.coding.levels(levels[:3] / 255)) > 500


@pytest.mark.lava
@pytest.mark.timeout(280)
@pytest.mark.parametrize("kind", ["graded", "rate"])
def test_branch_shortcut_and_input_past_the_first_layer(kind: str) -> None:
    program = branching()
    coding = program.coding
    if kind == "rate":
        coding = InputCoding("rate", coding.shape, coding.unit, coding.offset, coding.scale, coding.shift)
        # Spikes of size 1 where there were numbers up to 64: the first layer gets a threshold that they reach.
        first = program.layers[0]
        assert first.threshold is not None
        first = replace(first, threshold=replace(first.threshold, exponent=0), initial_potential=60)
        program = replace(program, coding=coding, layers=(first, *program.layers[1:]))
    assert [program.delay(3, each) for each in program.layers[3].synapses] == [0, 0, 2]
    assert [program.delay(4, each) for each in program.layers[4].synapses] == [0, 1, 2]
    # Many samples in one stream, the quietest after the loudest: nothing of one may reach the next.
    levels = levels_for(program, 5)
    levels[1::2] = 255
    levels[2] = 0
    assert assert_equal_runs(program, levels) > 500


@pytest.mark.lava
@pytest.mark.timeout(280)
def test_a_program_of_which_netx_can_load_nothing() -> None:
    program = branching()
    first = program.layers[0]
    synapse = replace(first.synapses[0], weight=first.synapses[0].weight // 4 * 2, exponent=1)
    program = replace(program, layers=(replace(first, synapses=(synapse,)), *program.layers[1:]))
    assert program.chain == ()
    assert assert_equal_runs(program, levels_for(program, 3)) > 500


@pytest.mark.lava
@pytest.mark.timeout(280)
@pytest.mark.parametrize("hold", [5, 62])
def test_spikes_that_wait_longer_than_a_sample_takes(hold: int) -> None:
    program = replace(branching(), timesteps=3)
    meeting = program.layers[3]
    main, *further = meeting.synapses
    meeting = replace(meeting, synapses=(replace(further[0], hold=hold), main, further[1]))
    program = replace(program, layers=(*program.layers[:3], meeting, program.layers[4]))
    if hold == 62:
        # The input would have to wait longer.
        meeting = replace(meeting, synapses=meeting.synapses[:2])
        end = program.layers[4]
        end = replace(end, synapses=end.synapses[:1])
        program = replace(program, layers=(*program.layers[:3], meeting, end))
    assert program.depths[3:] == (hold + 2, hold + 3)
    assert assert_equal_runs(program, levels_for(program, 3)) > 100


@pytest.mark.lava
def test_a_delay_beyond_the_chip_is_refused() -> None:
    program = branching()
    meeting = program.layers[3]
    held = replace(meeting.synapses[0], hold=62)
    program = replace(
        program,
        layers=(
            *program.layers[:3],
            replace(meeting, synapses=(held, *meeting.synapses[1:])),
            program.layers[4],
        ),
    )
    with pytest.raises(BackendError, match=r"module meeting: .*the input .*at most 62 steps.*64 steps"):
        run_lava(program, np.zeros((1, 2, 4, 4), np.uint8))


def small_vgg() -> nn.Module:
    """Two stages as VGG has them, with maximum and average pooling."""
    layers: list[nn.Module] = []
    for inputs, outputs, pool in ((3, 6, nn.MaxPool2d(2)), (6, 8, nn.AvgPool2d(2))):
        for first in (inputs, outputs):
            layers += [nn.Conv2d(first, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        layers.append(pool)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(8 * 4 * 4, 10))


@pytest.mark.lava
@pytest.mark.timeout(280)
@pytest.mark.parametrize(("name", "size", "samples"), [("resnet20", 32, 1), ("vgg", 16, 3)])
def test_networks_of_the_literature(name: str, size: int, samples: int) -> None:
    torch.manual_seed(0)
    module = resnet20(10) if name == "resnet20" else small_vgg()
    levels = np.random.default_rng(0).integers(0, 256, (16, 3, size, size)).astype(np.uint8)
    with torch.no_grad():  # batch normalisation as training leaves it, so that all layers fire
        module.train()(torch.as_tensor(levels / 255, dtype=torch.float32))
    program = compile_module(module, levels / 255, CompileOptions(timesteps=3), unit=1 / 255).program
    assert assert_equal_runs(program, program.coding.levels(levels[:samples] / 255)) > 1_000
