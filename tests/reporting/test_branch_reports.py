"""What people are shown of programs that branch."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from support.branching import branching
from support.programs import levels_for
from support.reference import arriving
from torch import nn

import snnc
from snnc.analysis.options import ValidateOptions
from snnc.analysis.validation import validate_program
from snnc.cli.entry import main
from snnc.models.data import Dataset
from snnc.program import Program
from snnc.reporting import wording
from snnc.reporting.program import program_json, program_table
from snnc.runtime.energy import count_operations, count_synapses, fan_out
from snnc.runtime.simulator import Simulator


@pytest.fixture
def program() -> Program:
    return branching()


def test_the_fan_out_is_the_number_of_neurons_that_a_spike_reaches(program: Program) -> None:
    for layer in program.layers:
        for synapse in layer.synapses:
            shape = program.source_shape(synapse.source)
            # Weights of one: what arrives counts connections.
            ones = replace(synapse, weight=np.ones_like(synapse.weight), exponent=0)
            images = np.eye(math.prod(shape), dtype=np.int64).reshape(-1, *shape)
            reached = [arriving(image, ones, layer.shape).sum() for image in images]
            assert fan_out(synapse, shape).shape == shape
            assert fan_out(synapse, shape).ravel().tolist() == reached


def test_operations_count_every_synapse(program: Program) -> None:
    result = Simulator(program).run(levels_for(program, 2), record=True)
    assert result.spikes is not None
    counts = count_operations(program, result)
    spikes = [each.sum((0, 1)).ravel() for each in result.spikes]
    reached = [fan_out(each, program.source_shape(each.source)).ravel() for each in program.layers[4].synapses]
    assert counts.synaptic[4] == spikes[3] @ reached[0] + spikes[1] @ reached[1] + spikes[0] @ reached[2]
    assert count_synapses(program)[4] == 5 * 16 + 5 * 64 + 4


def test_the_table_tells_where_synapses_come_from(program: Program) -> None:
    assert [wording.synapses(program, index) for index in range(5)] == [
        "conv 3×3, 2→4, pad 1",
        "conv 3×3, 4→4, pad 1",
        "conv 2×2, 4→4, stride 2, 4 groups (from first)",
        "conv 3×3, 4→4, stride 2, pad 1 (from second) + conv 1×1, 4→4, 4 groups, weights × 4"
        " + sparse, 5 weights, weights × 2 (from the input, 2 steps later)",
        "dense 16→5 + dense 64→5 (from second, 1 step later) + sparse, 4 weights, weights × 8"
        " (from first, 2 steps later)",
    ]
    console = Console(width=300, record=True, file=io.StringIO())
    console.print(program_table(program))
    text = console.export_text()
    assert "pool (memoryless)" in text and "end (readout)" in text


def test_the_form_holds_delays_and_exponents(program: Program) -> None:
    form = json.loads(json.dumps(program_json(program)))
    assert [layer["memoryless"] for layer in form["layers"]] == [False, False, True, False, False]
    found = [
        (each["source"], each["kind"], each["exponent"], each["delay"]) for each in form["layers"][3]["connections"]
    ]
    assert found == [(1, "conv", 0, 0), (2, "conv", 2, 0), (-1, "sparse", 1, 2)]


def test_inspect_takes_such_a_file(program: Program, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.net"
    program.save(path)
    assert main(["inspect", str(path), "--json"]) == 0
    form = json.loads(capsys.readouterr().out)
    assert form["layers"][2]["name"] == "pool" and form["layers"][2]["memoryless"]


class Branching(nn.Module):
    """A shortcut, maximum pooling, and two linear layers whose sum is the output."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.left, self.right = nn.Linear(48, 10), nn.Linear(192, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.first(x))
        y = torch.relu(self.second(x) + x)
        return torch.log_softmax(self.left(self.pool(y).flatten(1)) + self.right(x.flatten(1)), 1)


@pytest.mark.parametrize("pooling", ["or", "exact"])
def test_validation_compares_what_has_a_counterpart(pooling: str) -> None:
    torch.manual_seed(0)
    module = Branching().eval()
    data: Dataset = snnc.load_data("digits", split="test").take(30)
    program = snnc.compile(module, data, timesteps=64, max_pool=pooling)
    assert any(layer.memoryless for layer in program.layers) == (pooling == "or")
    validation = validate_program(program, module, data, ValidateOptions(lava=False))
    names = [layer.name for layer in validation.layers]
    assert len(names) >= 3 and names[-1] == program.readout.name
    # The output is the sum of both linear layers, before the softmax: one of them alone would not correlate.
    assert validation.layers[-1].correlation is not None and validation.layers[-1].correlation > 0.95
