"""How fast the solver is: Algorithm 1 on 10^7 activations, the optimum on 10^6, the sketch beside a forward pass.

python benchmarks/solver.py
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from snnc.compiler.solver import ActivationSketch, Distribution, solve


def best(action: Callable[[], object], times: int = 3) -> float:
    """Least wall-clock seconds of several runs."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def reference(count: int) -> np.ndarray:
    return np.sort(np.abs(np.random.default_rng(0).normal(0, 1, count)) ** 1.3)


def network() -> nn.Sequential:
    """Seven convolutions of a residual network's first stage, 115 thousand activations for each sample."""
    layers: list[nn.Module] = []
    channels = 3
    for _ in range(7):
        layers += [nn.Conv2d(channels, 16, 3, padding=1), nn.ReLU()]
        channels = 16
    return nn.Sequential(*layers)


def profiling(module: nn.Sequential, batch: torch.Tensor, *, sketched: bool) -> Callable[[], None]:
    """A profiling pass: ranges of each layer, with or without the sketch of what its ReLU gives."""
    sketches = [ActivationSketch(16) for each in module if isinstance(each, nn.ReLU)]

    def run() -> None:
        values, layer = batch, 0
        with torch.no_grad():
            for each in module:
                values = each(values)
                if isinstance(each, nn.Conv2d):
                    rows = values.transpose(0, 1).flatten(1)
                    rows.amin(1), rows.amax(1)
                    if sketched:
                        sketches[layer].add(rows.relu())
                    layer += 1

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    torch.set_num_threads(1)
    table = Table("what", "seconds", "result")

    values = reference(10**7)
    solution = solve(values, 1)
    ours = best(lambda: solve(Distribution.of(values), 1))
    text = f"Vth {solution.threshold:.5f}, v0 {solution.potential:.5f}, error {solution.error:.2f}"
    table.add_row("T = 1, data-driven, 10^7 sorted activations", f"{ours:.3f}", text)
    million = reference(10**6)
    for steps in (8, 64):
        for objective in (1, 2):
            solution = solve(million, steps, "optimal", objective=objective)
            seconds = best(lambda m=objective, T=steps: solve(million, T, "optimal", objective=m))
            title = f"T = {steps}, optimal, m = {objective}, 10^6 activations"
            table.add_row(title, f"{seconds:.3f}", f"Vth {solution.threshold:.5f}, error {solution.error:.2f}")

    batch = torch.randn(16, 3, 32, 32)
    module = network().eval()
    plain, sketched = profiling(module, batch, sketched=False), profiling(module, batch, sketched=True)
    plain(), sketched()
    # Alternately, so that a busy machine slows both.
    pairs = [(best(plain, 1), best(sketched, 1)) for _ in range(60)]
    without, with_sketch = (min(each) for each in zip(*pairs, strict=True))
    number = 16 * 7 * 16 * 32 * 32
    table.add_row("profiling without the sketch", f"{without:.4f}", f"{number / 1e6:.1f} million activations")
    table.add_row("profiling with the sketch", f"{with_sketch:.4f}", f"{with_sketch / without:.2f} times as long")
    activations = torch.randn(64, 1 << 16).relu_()
    sketch = ActivationSketch(64)
    seconds = best(lambda: sketch.add(activations), 10)
    rate = activations.numel() / seconds / 1e6
    table.add_row("sketch alone, 4.2 million activations", f"{seconds:.4f}", f"{rate:.0f} million a second")
    Console().print(table)


if __name__ == "__main__":
    main()
