"""Lava fires every spike of the simulator where a network branches, skips and joins."""

from __future__ import annotations

import pytest
from hypothesis import given, reject, settings
from programs import levels_for, programs
from runs import assert_equal_runs

from snnc.compiler.program import Program
from snnc.runtime.simulator import Simulator


@pytest.mark.lava
@pytest.mark.timeout(600)
@settings(max_examples=8)
@given(programs(timesteps=6))
def test_random_programs(program: Program) -> None:
    levels = levels_for(program, 3)
    if any(Simulator(program).run(levels).wraps or ()):
        reject()  # past the chip's range the two need not agree
    assert_equal_runs(program, levels)
