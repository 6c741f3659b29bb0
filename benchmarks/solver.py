"""How fast the solver is: every figure of docs/solver.md on one core.

    python benchmarks/solver.py                  # T = 1 on 10^7, optimal on 10^6, 10^8 activations through the sketch
    python benchmarks/solver.py --million 10     # a shorter look at profiling

Profiling is timed as ``ProfileActivations`` does it, batch by batch through the graph of a network, once with the
sketches and once with the ranges alone, alternately, so that a busy machine slows both. The networks are the ResNet20
of benchmarks/resnet20_float.py and VGG16, with random weights.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from snnc.common.memory import keep_freed_memory
from snnc.compiler.conversion.profile import BATCH, profile_batch
from snnc.compiler.conversion.solver import ActivationSketch, Distribution, solve
from snnc.compiler.ir import ActivationProfile, AvgPool2d, Conv2d, Graph, Input, Linear, Output, Readout, SpikingLayer
from snnc.compiler.ir.exact_sums import exact_sums

SIDE, CLASSES = 32, 10
# Output channels of the convolutions, one tuple for each size of the image.
VGG16 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
RESNET20 = (16, 32, 64)


def seconds(action: Callable[[], object]) -> float:
    """Seconds of one run on one core: processor time, since the machine may be shared."""
    start = time.process_time()
    action()
    return time.process_time() - start


def reference(count: int) -> NDArray[np.float64]:
    """Sorted activations of the distribution on which Algorithm 1 was measured before."""
    return np.sort(np.abs(np.random.default_rng(0).normal(0, 1, count)) ** 1.3)


def convolution(channels: int, wider: int, stride: int = 1, kernel: int = 3) -> Conv2d:
    """A convolution with random weights that keep the size of activations."""
    weight = np.random.default_rng(0).normal(0, (2 / (channels * kernel**2)) ** 0.5, (wider, channels, kernel, kernel))
    return Conv2d(weight, np.zeros(wider), (stride, stride), (kernel // 2, kernel // 2))


def readout(graph: Graph, source: str) -> Graph:
    """The graph with a linear layer on top."""
    features = int(np.prod(graph[source].shape))
    weight = np.random.default_rng(0).normal(0, features**-0.5, (CLASSES, features))
    graph.add("linear", Readout((Linear(weight, np.zeros(CLASSES)),)), (source,))
    graph.add("output", Output(), ("linear",))
    return graph


def resnet20() -> Graph:
    """ResNet20: a block's second layer sums its convolution and the shortcut."""
    graph = Graph()
    graph.add("input", Input((3, SIDE, SIDE)))
    source, channels = "stem", RESNET20[0]
    graph.add(source, SpikingLayer((convolution(3, channels),)), ("input",))
    for stage, width in enumerate(RESNET20):
        for block in range(3):
            name, stride = f"{stage}.{block}", 2 if width != channels else 1
            graph.add(f"{name}.first", SpikingLayer((convolution(channels, width, stride),)), (source,))
            synapses = (convolution(width, width), convolution(channels, width, stride, kernel=1))
            graph.add(name, SpikingLayer(synapses), (f"{name}.first", source))
            source, channels = name, width
    return readout(graph, source)


def vgg16() -> Graph:
    """VGG16 with average pooling and one linear layer."""
    graph = Graph()
    graph.add("input", Input((3, SIDE, SIDE)))
    source, channels = "input", 3
    for stage, widths in enumerate(VGG16):
        for index, width in enumerate(widths):
            name = f"{stage}.{index}"
            graph.add(name, SpikingLayer((convolution(channels, width),)), (source,))
            source, channels = name, width
        graph.add(f"{stage}.pool", AvgPool2d((2, 2), (2, 2)), (source,))
        source = f"{stage}.pool"
    return readout(graph, source)


def profile(graph: Graph, images: torch.Tensor, *, sketched: bool) -> None:
    """A profiling pass, with or without sketches of the activations beside their ranges."""
    profiles = {
        node.name: ActivationProfile.empty(node.shape[0], spiking=sketched and isinstance(node.op, SpikingLayer))
        for node in graph.of_kind(SpikingLayer, Readout)
    }
    sums = exact_sums(graph)
    for batch in torch.split(images, BATCH):
        profile_batch(graph, batch, profiles, sums)


def add_searches(table: Table, repeats: int) -> None:
    """Algorithm 1 and the optimum."""
    values = reference(10**7)
    solution = solve(values, 1)
    spent = [seconds(lambda: solve(Distribution.of(values), 1)) for _ in range(repeats)]
    found = f"Vth {solution.threshold:.5f}, v0 {solution.potential:.5f}, error {solution.error:.2f}"
    add(table, "T = 1, data-driven, 10^7 sorted activations", spent, found)
    values = reference(10**6)
    for steps in (8, 64):
        for m in (1, 2):
            spent = [seconds(lambda: solve(values, steps, "optimal", objective=m)) for _ in range(repeats)]  # noqa: B023
            solution = solve(values, steps, "optimal", objective=m)
            found = f"Vth {solution.threshold:.5f}, error {solution.error:.2f}"
            add(table, f"T = {steps}, optimal, m = {m}, 10^6 activations", spent, found)


def add_profiling(table: Table, name: str, graph: Graph, million: int, repeats: int) -> None:
    """Profiling with and without the sketch."""
    of_each = sum(int(np.prod(node.shape)) for node in graph.of_kind(SpikingLayer))
    count = -(-million * 10**6 // (of_each * BATCH)) * BATCH
    images = torch.randn(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    profile(graph, images[:BATCH], sketched=True)  # numba compiles
    pairs = [
        (
            seconds(lambda: profile(graph, images, sketched=False)),
            seconds(lambda: profile(graph, images, sketched=True)),
        )
        for _ in range(repeats)
    ]
    without, sketched = zip(*pairs, strict=True)
    add(table, f"{name}: profiling, ranges alone", without, f"{count * of_each / 1e6:.0f} million activations")
    ratio = statistics.median(second / first for first, second in pairs)
    add(table, f"{name}: profiling with the sketch", sketched, f"{ratio:.2f} times as long, the median of {repeats}")


def add_sketch(table: Table, repeats: int) -> None:
    """The sketch by itself, on what a ReLU gives."""
    for order in (torch.channels_last, torch.contiguous_format):
        batch = torch.randn(BATCH, 64, SIDE, SIDE).relu_().contiguous(memory_format=order)
        sketch = ActivationSketch(64)
        spent = [seconds(lambda: sketch.add(batch, axis=1)) for _ in range(repeats)]  # noqa: B023
        each = statistics.median(spent) / batch.numel() * 1e9
        name = str(order).removeprefix("torch.").replace("_", " ")
        add(table, f"sketch alone, {name}", spent, f"{each:.2f} ns for each of {batch.numel() / 1e6:.1f} million")


def add(table: Table, name: str, spent: list[float] | tuple[float, ...], found: str) -> None:
    """A line: median and range of the seconds."""
    table.add_row(name, f"{statistics.median(spent):.4f}", f"{min(spent):.4f} to {max(spent):.4f}", found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--million", type=int, default=100, help="activations of each network to profile, in millions")
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # as ProfileActivations does
    table = Table("what", "seconds, median", "least to most", "result")
    add_searches(table, arguments.repeats)
    for name, graph in (("ResNet20", resnet20()), ("VGG16", vgg16())):
        add_profiling(table, name, graph, arguments.million, arguments.repeats)
    add_sketch(table, arguments.repeats)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
