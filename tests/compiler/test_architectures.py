"""Every architecture of snnc.models compiles from its definition, with random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from support.networks import assert_equal_values
from torch import nn

import snnc
from snnc import models
from snnc.compiler.frontend import trace
from snnc.compiler.ir import MaxPool2d, execute
from snnc.compiler.ir.passes import PassManager
from snnc.compiler.lowering.spiking_layers import lowering
from snnc.program import InputCoding
from snnc.runtime.simulator import Simulator

SLOW = (pytest.mark.slow, pytest.mark.timeout(1800))


def built(name: str, **options: str) -> nn.Module:
    torch.manual_seed(0)
    return getattr(models, name)(10, **options)


@pytest.mark.parametrize(
    ("name", "size", "layers"),
    [
        ("lenet", 28, 5),
        ("cifarnet", 32, 8),
        ("alexnet", 32, 8),
        ("vgg16", 32, 14),
        ("resnet18", 32, 18),
        ("resnet19", 32, 19),
        ("resnet20", 32, 20),
        ("resnet34", 32, 34),
        ("resnet34_imagenet", 64, 35),
        # Minutes on a busy machine, and 7.4 GB for 138 million weights.
        # 16 of them are the network's own; the rest depends on how each maximum is taken.
        pytest.param("vgg16_imagenet", 224, None, marks=SLOW),
        pytest.param("resnet34_imagenet", 224, 35, marks=SLOW),
    ],
)
def test_the_whole_way_to_a_file_and_back(name: str, size: int, layers: int | None, tmp_path: Path) -> None:
    shape = (1 if name == "lenet" else 3, size, size)
    images = np.random.default_rng(0).integers(0, 256, (2, *shape)).astype(np.uint8)
    # One way to choose thresholds is enough where networks are large.
    threshold = "auto" if name in ("lenet", "resnet20", "vgg16") else "data-driven"
    program = snnc.compile(built(name), images, timesteps=2, threshold=threshold)
    program.save(tmp_path / "network.net")
    loaded = snnc.load(tmp_path / "network.net")
    result = Simulator(loaded).run(loaded.coding.levels(images / 255))
    expected = Simulator(program).run(program.coding.levels(images / 255))
    assert np.array_equal(result.readout, expected.readout)
    # What goes in comes out: no layer is silent, and different images give different readouts.
    assert all(counts.any() for counts in result.spike_counts)
    assert (result.readout[0] != result.readout[1]).any()
    # netx holds all of it: the longest path goes through every layer.
    assert len(program.chain) == len(program.layers)
    assert len(program.layers) == layers if layers else len(program.layers) > 16


@pytest.mark.parametrize(
    ("name", "options", "size", "layers"),
    [
        ("cifarnet", {}, 32, 8),
        ("alexnet", {}, 32, 8),
        ("vgg16", {}, 32, 14),
        ("vgg16", {"pooling": "max"}, 32, 24),
        ("resnet18", {}, 32, 18),
        ("resnet19", {}, 32, 19),
        ("resnet34_imagenet", {}, 64, None),
    ],
)
def test_lowering_is_exact(name: str, options: dict[str, str], size: int, layers: int | None) -> None:
    module = built(name, **options).eval()
    graph = trace(module, (3, size, size))
    ways = {node.name: "exact" if size == 32 else "or" for node in graph.of_kind(MaxPool2d)}
    ones = np.ones(3)
    coding = InputCoding("graded", (3, size, size), ones, 0 * ones, ones / 255, 0 * ones)
    spiking = PassManager(lowering(coding, ways)).run(graph).graph
    batch = torch.as_tensor(np.random.default_rng(0).integers(0, 256, (1, 3, size, size)), dtype=torch.float32)
    with torch.no_grad():
        expected = module(batch / 255)
    assert_equal_values(execute(spiking, batch)[spiking.output.name], expected, 1e-4)
    assert layers is None or sum(node.op.kind in ("SpikingLayer", "Readout") for node in spiking) == layers
