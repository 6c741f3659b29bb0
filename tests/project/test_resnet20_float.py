"""The benchmark's ResNet20, built by hand, computes what the network in PyTorch computes."""

from __future__ import annotations

import importlib.util
import json
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from support.networks import assert_equal_values, randomize
from torch import nn

from snnc.compiler.conversion.solver import ActivationSketch, solve
from snnc.compiler.ir import execute

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "resnet20_float.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("resnet20_float", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


class Block(nn.Module):
    def __init__(self, width: int, wider: int) -> None:
        super().__init__()
        self.stride, self.pad = (1, 0) if width == wider else (2, wider // 4)
        self.conv1 = nn.Conv2d(width, wider, 3, self.stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(wider)
        self.conv2 = nn.Conv2d(wider, wider, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(wider)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (out + F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.pad, self.pad))).relu()


class ResNet20(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*(Block(16, 16) for _ in range(3)))
        self.layer2 = nn.Sequential(Block(16, 32), Block(32, 32), Block(32, 32))
        self.layer3 = nn.Sequential(Block(32, 64), Block(64, 64), Block(64, 64))
        self.linear = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer3(self.layer2(self.layer1(self.bn1(self.conv1(x)).relu())))
        return self.linear(x.mean((2, 3)))


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return randomize(ResNet20(), 0).eval()


@pytest.fixture(scope="module")
def checkpoint(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "resnet20.th"
    torch.save({"state_dict": {f"module.{name}": value for name, value in network.state_dict().items()}}, path)
    return path


def test_the_graph_is_the_network(benchmark: ModuleType, network: nn.Module, checkpoint: Path) -> None:
    graph = benchmark.build(benchmark.read_state(checkpoint))
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network.double()(images)
    assert_equal_values(execute(graph, images)["output"], expected, 1e-10)
    network.float()


def test_losses_add_up(benchmark: ModuleType) -> None:
    values = np.maximum(np.random.default_rng(0).normal(size=(3, 5000)), 0).astype(np.float32)
    values[1] = 0
    sketch = ActivationSketch(3)
    sketch.add(values)
    for method in ("data-driven", "percentile", "max"):
        row = benchmark.Row("if", 8, method, 1, True)
        clipped, rounded, short = benchmark.losses(sketch, row)
        found = [each for each in sketch.distributions(8) if each]
        errors = [solve(each, 8, method).error for each in found]
        assert clipped + rounded == pytest.approx(sum(errors) / sum(each.total for each in found))
        assert clipped - rounded <= short <= clipped + rounded
        assert (clipped == 0) == (method == "max")


def test_a_run_that_was_interrupted_goes_on(
    benchmark: ModuleType, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for index in range(4):
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(tmp_path / "image.png")
            archive.write(tmp_path / "image.png", f"all/class{index % 2}/{index}.png")
    images = tmp_path / "images.zip"
    common = ["x", "--checkpoint", checkpoint, "--train", images, "--test", images, "--output", tmp_path / "out"]
    options = ["--calibration-samples", 4, "--test-samples", 3, "--methods", "max"]

    def call(*arguments: object) -> list[dict[str, object]]:
        monkeypatch.setattr("sys.argv", [str(each) for each in (*common, *options, *arguments)])
        benchmark.main()
        return json.loads((tmp_path / "out" / "results.json").read_text())["rows"]

    first = call("--timesteps", 1, "--neurons", "if")
    assert [(row["timesteps"], row["per_channel"]) for row in first] == [(1, False), (1, True)]
    assert call("--timesteps", 2, 1, "--minutes", 0) == first
    both = call("--timesteps", 2, 1, "--grains", "layer")
    assert both[:2] == first
    assert [(row["timesteps"], row["neuron"]) for row in both[2:]] == [(2, "if"), (1, "snm"), (2, "snm")]
    searched = call("--timesteps", 1, "--neurons", "if", "--methods", "optimal", "--grains", "channel")
    assert [(row["method"], row["objective"]) for row in searched[len(both) :]] == [("optimal", 1), ("optimal", 2)]
    with pytest.raises(SystemExit, match="another --output"):
        call("--timesteps", 1, "--test-samples", 2)
