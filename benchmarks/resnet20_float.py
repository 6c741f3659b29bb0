"""ResNet20 on CIFAR-10 in the float simulation: accuracy by T, by method, per layer and per channel, IF and SNM.

    python benchmarks/resnet20_float.py --checkpoint resnet20.th --train train.zip --test test.zip

The checkpoint is a state_dict of He et al.'s ResNet20 for CIFAR-10 (3 stages of 3 blocks, shortcuts of option A, keys
as in akamaster/pytorch_resnet_cifar10, perhaps with ``module.`` in front or under ``state_dict``). The spiking graph is
built here by hand, so that the table does not rest on the compiler's own lowering. Images lie in class folders
``.../<class>/<image>``, in a folder or a zip file.

Thresholds come from sketches of the activations, as compile chooses them, on all activations of the calibration images.
Every finished row is written to results.json at once; a second call goes on where the first one ended. Integrate-and-
fire neurons come first, and of them the smallest T: a row costs about T forward passes of the ANN.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

from snnc.compiler.conversion.float_simulation import NEURONS, Neuron, simulate
from snnc.compiler.conversion.profile import profile_batch
from snnc.compiler.conversion.solver import (
    METHODS,
    OBJECTIVES,
    SEARCHES,
    ActivationSketch,
    solve,
    solve_distributions,
    spike_counts,
)
from snnc.compiler.ir import (
    ActivationProfile,
    BatchNorm,
    Conv2d,
    Graph,
    Input,
    Linear,
    Output,
    Readout,
    SpikingLayer,
    execute,
)
from snnc.compiler.ir.exact_sums import exact_sums
from snnc.compiler.lowering.fold import scaled

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
WIDTHS, BLOCKS, SIDE = (16, 32, 64), 3, 32
EPSILON = 1e-5
GRAINS = ("layer", "channel")
ORDER_SEED = 0
BATCH = 64
# What was measured with the paper's method before snnc was written, for comparison: per layer, per channel.
EXPECTED = {4: (33.0, 34.6), 8: (49.8, 53.0), 16: (62.6, 67.2), 32: (74.2, 74.6)}

console = Console()


@dataclass(frozen=True)
class Settings:
    """What all rows of a results file share.

    Attributes:
        checkpoint: SHA-256 of the checkpoint.
        calibration: Number of calibration images.
        test: Number of test images.
    """

    checkpoint: str
    calibration: int
    test: int


@dataclass(frozen=True)
class Row:
    """One way to run the network.

    Attributes:
        neuron: Kind of neuron.
        timesteps: T.
        method: How thresholds are chosen.
        objective: m of the error that the method minimises; 1 for methods that minimise none.
        per_channel: A threshold for each channel instead of one for each layer.
    """

    neuron: Neuron
    timesteps: int
    method: str
    objective: int
    per_channel: bool

    @property
    def title(self) -> str:
        """How thresholds are chosen, in a word or two."""
        return f"{self.method}, m = {self.objective}" if self.method in SEARCHES else self.method


def read_images(source: Path, count: int) -> tuple[torch.Tensor, NDArray[np.int64]]:
    """The first images of a fixed random order, normalised, (count, 3, 32, 32), and their classes, (count,)."""
    if source.is_dir():
        names = [str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()]
        contents: Mapping[str, bytes] | None = None
    else:
        with zipfile.ZipFile(source) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            contents = {name: archive.read(name) for name in chosen_names(names, count)}
    classes = sorted({Path(name).parent.name for name in names})
    images, labels = [], []
    for name in chosen_names(names, count):
        data = (source / name).read_bytes() if contents is None else contents[name]
        with Image.open(io.BytesIO(data)) as image:
            images.append(np.asarray(image.convert("RGB"), np.float32).transpose(2, 0, 1) / 255)
        labels.append(classes.index(Path(name).parent.name))
    mean, std = (np.array(each, np.float32).reshape(3, 1, 1) for each in (MEAN, STD))
    return torch.as_tensor((np.stack(images) - mean) / std), np.array(labels)


def chosen_names(names: list[str], count: int) -> list[str]:
    """The first names of a fixed random order: the images behind ``EXPECTED``, while numpy's permutations last."""
    ordered = sorted(names, key=lambda name: (Path(name).parent.name, name))
    return [ordered[index] for index in np.random.default_rng(ORDER_SEED).permutation(len(ordered))[:count]]


def read_state(path: Path) -> dict[str, NDArray[np.float64]]:
    """The checkpoint's tensors by name, without a ``module.`` in front."""
    content = torch.load(path, map_location="cpu", weights_only=True)
    state = content.get("state_dict", content)
    return {name.removeprefix("module."): tensor.double().numpy() for name, tensor in state.items()}


def build(state: Mapping[str, NDArray[np.float64]]) -> Graph:
    """ResNet20 as spiking layers: a block's second layer sums its convolution and the shortcut."""

    def convolution(name: str, norm: str, stride: int) -> Conv2d:
        weight = state[f"{name}.weight"]
        plain = Conv2d(weight, np.zeros(len(weight)), (stride, stride), (1, 1))
        parts = [state[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        folded = scaled(plain, BatchNorm(parts[0], parts[1], parts[2], parts[3], EPSILON).as_affine())
        assert isinstance(folded, Conv2d)
        return folded

    graph = Graph()
    graph.add("input", Input((3, SIDE, SIDE)))
    graph.add("stem", SpikingLayer((convolution("conv1", "bn1", 1),)), ("input",))
    source, width = "stem", WIDTHS[0]
    for stage, wider in enumerate(WIDTHS, start=1):
        for block in range(BLOCKS):
            name, stride = f"layer{stage}.{block}", 2 if wider != width else 1
            first = SpikingLayer((convolution(f"{name}.conv1", f"{name}.bn1", stride),))
            graph.add(f"{name}.first", first, (source,))
            synapses = (convolution(f"{name}.conv2", f"{name}.bn2", 1), shortcut(width, wider, stride))
            graph.add(f"{name}.second", SpikingLayer(synapses), (f"{name}.first", source))
            source, width = f"{name}.second", wider
    # The mean over the image and the linear layer, as one.
    positions = (SIDE // 4) ** 2
    weight = np.repeat(state["linear.weight"], positions, axis=1) / positions
    graph.add("linear", Readout((Linear(weight, state["linear.bias"]),)), (source,))
    graph.add("output", Output(), ("linear",))
    return graph


def shortcut(width: int, wider: int, stride: int) -> Conv2d:
    """Option A: every stride-th pixel, new channels zero, as many before the old ones as behind."""
    if width == wider:
        return Conv2d(np.ones((width, 1, 1, 1)), np.zeros(width), groups=width)
    weight = np.zeros((wider, width, 1, 1))
    weight[(wider - width) // 2 + np.arange(width), np.arange(width)] = 1
    return Conv2d(weight, np.zeros(wider), (stride, stride))


def profile(graph: Graph, images: torch.Tensor) -> dict[str, ActivationSketch]:
    """What each layer's channels do on the calibration images."""
    layers = graph.of_kind(SpikingLayer)
    profiles = {node.name: ActivationProfile.empty(node.shape[0], spiking=True) for node in layers}
    sums = exact_sums(graph)
    for batch in torch.split(images, BATCH):
        profile_batch(graph, batch, profiles, sums)
    sketches = {name: each.activations for name, each in profiles.items()}
    return {name: sketch for name, sketch in sketches.items() if sketch is not None}


def assigned(graph: Graph, sketches: Mapping[str, ActivationSketch], row: Row) -> Graph:
    """The graph with thresholds and potentials."""
    graph = graph.copy()
    for node in graph.of_kind(SpikingLayer):
        assert isinstance(node.op, SpikingLayer)
        sketch = sketches[node.name]
        found = sketch.distributions(row.timesteps) if row.per_channel else [sketch.distribution(row.timesteps)]
        solutions = solve_distributions(found, row.timesteps, row.method, objective=row.objective)
        ones = np.ones(node.shape[0])
        threshold = ones * [solution.threshold for solution in solutions]
        potential = ones * [solution.potential for solution in solutions]
        graph.replace(node.name, replace(node.op, threshold=threshold, initial_potential=potential))
    return graph


def accuracy(outputs: torch.Tensor, labels: NDArray[np.int64]) -> float:
    """Percentage of right predictions."""
    return 100 * float((outputs.argmax(1).numpy() == labels).mean())


def show(ann: float, images: int, found: Mapping[Row, float]) -> None:
    """One line for each way to choose thresholds and each neuron, one column for each T."""
    columns = sorted({row.timesteps for row in found})
    table = Table(title=f"ResNet20, float simulation: accuracy in % on {images} test images (ANN {ann:.1f})")
    for title in ("thresholds", "per", "neuron"):
        table.add_column(title)
    for timesteps in columns:
        table.add_column(f"T = {timesteps}", justify="right")

    def add(title: str, grain: str, neuron: str, values: list[float | None]) -> None:
        table.add_row(title, grain, neuron, *("-" if value is None else f"{value:.1f}" for value in values))

    for index, grain in enumerate(GRAINS):
        add("measured before (m = 1)", grain, "if", [EXPECTED.get(each, (None, None))[index] for each in columns])
    table.add_section()
    lines = {replace(row, timesteps=0): row for row in found}
    for line in sorted(lines, key=lambda each: (each.neuron, each.method, each.objective, each.per_channel)):
        values = [found.get(replace(line, timesteps=each)) for each in columns]
        add(line.title, GRAINS[line.per_channel], line.neuron, values)
    console.print(table)


def show_losses(sketches: Mapping[str, ActivationSketch], columns: list[int]) -> None:
    """What a threshold for each channel does to the calibration activations, by method and T.

    Shares of the sum of all activations, the mean of all layers: what is lost of those above Vth (clipped), how far
    those below are from their levels (rounded, both ways), and what all rates together are short of the activations.
    """
    table = Table(title="Per channel, in % of the sum of activations, each neuron given its activation at every step")
    for title in ("thresholds", "T", "clipped", "rounded", "sum of both", "rates fall short by"):
        table.add_column(title, justify="left" if title == "thresholds" else "right")
    for timesteps in columns:
        for method, objective in (("data-driven", 1), ("data-driven", 2), ("percentile", 1)):
            row = Row("if", timesteps, method, objective, True)
            parts = np.mean([losses(sketch, row) for sketch in sketches.values()], axis=0)
            shares = (parts[0], parts[1], parts[0] + parts[1], parts[2])
            table.add_row(row.title, str(timesteps), *(f"{100 * share:.2f}" for share in shares))
    console.print(table)


def losses(sketch: ActivationSketch, row: Row) -> NDArray[np.float64]:
    """Clipped, rounded and missing of a layer's activations, (3,), as shares of their sum."""
    parts, total = np.zeros(3), 0.0
    for found in sketch.distributions(row.timesteps):
        if found is None:
            continue
        solution = solve(found, row.timesteps, row.method, objective=row.objective)
        counts = found.number(np.arange(1, len(found.values) + 1)) - found.number(np.arange(len(found.values)))
        spikes = spike_counts(found.values, solution.threshold, solution.potential, row.timesteps)
        short = (found.values - spikes * (solution.threshold / row.timesteps)) * counts
        above = found.values > solution.threshold
        parts += short[above].sum(), np.abs(short[~above]).sum(), short.sum()
        total += found.total
    return parts / total


def wanted(arguments: argparse.Namespace) -> list[Row]:
    """The rows that were asked for, in the order in which they are measured."""
    ways = [
        (method, objective)
        for method in arguments.methods
        for objective in (arguments.objectives if method in SEARCHES else (1,))
    ]
    return [
        Row(neuron, timesteps, method, objective, grain == "channel")
        for neuron in arguments.neurons
        for timesteps in sorted(arguments.timesteps)
        for method, objective in ways
        for grain in arguments.grains
    ]


def measured(
    graph: Graph, row: Row, sketches: Mapping[str, ActivationSketch], images: torch.Tensor, labels: NDArray[np.int64]
) -> dict[str, Any]:
    """What results.json says of a row."""
    start = time.perf_counter()
    spiking = assigned(graph, sketches, row)
    solved = time.perf_counter()
    run = simulate(spiking, images, row.timesteps, neuron=row.neuron)
    return {
        **vars(row),
        "accuracy": accuracy(run.readout, labels),
        "spikes_per_image": sum(run.spikes.values()) / len(labels),
        "seconds_solving": round(solved - start, 2),
        "seconds_simulating": round(time.perf_counter() - solved, 2),
    }


def as_row(content: Mapping[str, Any]) -> Row:
    """Which row a line of results.json is."""
    return Row(**{field.name: content[field.name] for field in fields(Row)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument(
        "--train", type=Path, required=True, help="calibration images: a folder or zip of class folders"
    )
    parser.add_argument("--test", type=Path, required=True, help="test images, likewise")
    parser.add_argument("--output", type=Path, default=Path("build/benchmarks/resnet20_float"), help="results folder")
    parser.add_argument("--timesteps", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64])
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--objectives", type=int, nargs="+", choices=OBJECTIVES, default=OBJECTIVES)
    parser.add_argument("--neurons", nargs="+", choices=list(NEURONS), default=list(NEURONS))
    parser.add_argument("--grains", nargs="+", choices=GRAINS, default=GRAINS)
    parser.add_argument("--calibration-samples", type=int, default=512)
    parser.add_argument("--test-samples", type=int, default=500)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no row after so many")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    begin = time.perf_counter()
    digest = hashlib.sha256(arguments.checkpoint.read_bytes()).hexdigest()
    settings = vars(Settings(digest, arguments.calibration_samples, arguments.test_samples))
    arguments.output.mkdir(parents=True, exist_ok=True)
    file = arguments.output / "results.json"
    results: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"settings": settings, "rows": []}
    if results["settings"] != settings:
        raise SystemExit(f"{file} was measured with {results['settings']}, not {settings}; give another --output")
    rows: list[dict[str, Any]] = results["rows"]
    graph = build(read_state(arguments.checkpoint))
    images, labels = read_images(arguments.test, arguments.test_samples)
    with torch.no_grad():
        outputs = torch.cat([execute(graph, batch)["output"] for batch in torch.split(images, BATCH)])
    results["ann_accuracy"] = accuracy(outputs, labels)
    console.print(f"ANN: {results['ann_accuracy']:.1f} % ({time.perf_counter() - begin:.0f} s)")
    missing = [row for row in wanted(arguments) if row not in set(map(as_row, rows))]
    calibration, _ = read_images(arguments.train, arguments.calibration_samples)
    sketches = profile(graph, calibration)
    console.print(f"profiled ({time.perf_counter() - begin:.0f} s)")
    while missing and time.perf_counter() - begin <= 60 * arguments.minutes:
        rows.append(measured(graph, missing.pop(0), sketches, images, labels))
        console.print(rows[-1])
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(results, indent=2) + "\n")
        partial.replace(file)
    show(results["ann_accuracy"], len(labels), {as_row(row): row["accuracy"] for row in rows})
    show_losses(sketches, sorted(arguments.timesteps))
    if missing:
        console.print(f"{len(missing)} rows are missing; the next call goes on with {missing[0]}")


if __name__ == "__main__":
    main()
