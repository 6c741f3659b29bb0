"""The stages of a compilation, one by one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import snnc
from snnc.program.net.writer import to_bytes


@pytest.fixture
def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 5))


DATA = np.random.default_rng(0).random((96, 12), np.float32)


def test_stages_give_what_a_compilation_gives_and_can_be_used_again(network: nn.Sequential, tmp_path: Path) -> None:
    torch.save(network, tmp_path / "model.pt")
    graph = snnc.trace(snnc.load_model(tmp_path / "model.pt"), (12,))
    options = snnc.CompileOptions(timesteps=4, threshold="max")
    profiled = snnc.profile(graph, DATA, options)
    for timesteps in (4, 7):
        own = snnc.CompileOptions(timesteps=timesteps, threshold="max")
        program = snnc.quantize(snnc.convert(profiled, own))
        whole = snnc.compile(network, DATA, options=own)
        assert program.timesteps == timesteps
        # Stages end with the integers; that these are judged is what compile adds.
        assert whole.provenance.verdict is not None and program.provenance.verdict is None
        unjudged = whole.with_provenance(replace(whole.provenance, verdict=None))
        assert to_bytes(program) == to_bytes(unjudged)


def test_model_and_program_may_come_in_either_order(network: nn.Sequential) -> None:
    program = snnc.compile(network, DATA, timesteps=4, threshold="max")
    first = snnc.diagnose(network, program, DATA)
    other = snnc.diagnose(program, network, DATA)  # type: ignore[arg-type]
    assert str(other.stages) == str(first.stages)
    with pytest.raises(snnc.OptionError, match="two of a kind"):
        snnc.diagnose(program, program, DATA)  # type: ignore[arg-type]
