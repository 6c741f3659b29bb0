"""Networks on CIFAR-10: accuracy by T and by method, in the chip's integers, beside float simulation, ANN and paper.

    python benchmarks/cifar10.py --model resnet20.pt --data FOLDER --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225

FOLDER is anything that ``snnc run --data`` takes: class folders of images in ``train`` and ``test``, or
``cifar10:ROOT``. A state_dict needs ``--arch resnet20`` or another of our networks.

Every finished row is written to results.json at once; a second call goes on where the first one ended. Rows are made in
the order of T: a row costs about T forward passes of the ANN.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ann import ann_accuracy, numbers
from numpy.typing import NDArray
from result_file import ResultFile
from rich.console import Console
from rich.table import Table

from snnc.api.compile import compile_recorded
from snnc.compiler.conversion.float_simulation import simulate
from snnc.inputs.data import as_module, calibration_data, evaluation_data, input_levels
from snnc.models.data import Dataset
from snnc.runtime.agreement import compare_runs
from snnc.runtime.lava import lava_available, run_lava
from snnc.runtime.simulator import Simulator

METHODS = ("max", "percentile", "mse", "data-driven", "data-driven:2", "auto")
GRAINS = ("channel", "layer")
# Bojkovic et al., tables 1 and 2, CIFAR-10: accuracy of the ANN, then of the SNN by T.
PAPER_TIMESTEPS = (2, 4, 8, 16, 32, 64, 128)
PAPER = {
    "ResNet18, ReLU": (96.80, (56.64, 81.24, 90.90, 94.17, 95.66, 96.39, 96.56)),
    "ResNet19, ReLU": (97.24, (66.39, 82.47, 92.80, 95.44, 96.41, 96.83, 96.98)),
    "VGG16, ReLU": (95.89, (65.62, 77.63, 87.99, 91.27, 94.24, 94.95, 95.64)),
    "ResNet20, truncated ReLU": (93.25, (75.00, 88.14, 91.32, 92.60, 92.92, 93.15, 93.26)),
}

console = Console(width=None if Console().is_terminal else 140)


@dataclass(frozen=True)
class Settings:
    """What all rows of a results file share.

    Attributes:
        model: SHA-256 of the model file.
        calibration: Number of calibration images.
        test: Number of test images.
    """

    model: str
    calibration: int
    test: int
    calibrate: str = ""
    lead: str = "0"


@dataclass(frozen=True)
class Way:
    """One way to choose thresholds at one T."""

    timesteps: int
    method: str
    objective: int
    grain: str


def ways(arguments: argparse.Namespace) -> list[Way]:
    """All that is asked for, the smallest T first."""
    found = []
    for timesteps in sorted(arguments.timesteps):
        for grain in arguments.grains:
            for each in arguments.methods:
                method, _, objective = each.partition(":")
                found.append(Way(timesteps, method, int(objective or 1), grain))
    return found


def measure(arguments: argparse.Namespace, way: Way, calibration: Dataset, test: Dataset) -> dict[str, Any]:
    """One row of the results."""
    start = time.perf_counter()
    compilation = compile_recorded(
        arguments.model,
        calibration,
        timesteps=way.timesteps,
        threshold=way.method,
        objective=way.objective,
        per_channel=way.grain == "channel",
        mean=arguments.mean,
        std=arguments.std,
        calibrate=arguments.calibrate,
        lead=way.timesteps // 2 if arguments.lead == "half" else int(arguments.lead),
        calibration_samples=len(calibration),
        arch=arguments.arch,
    )
    compiled = time.perf_counter()
    program = compilation.program
    levels = input_levels(program, test).values
    result = Simulator(program).run(levels)
    row: dict[str, Any] = {
        **asdict(way),
        "accuracy": 100 * result.accuracy(_labels(test)),
        "wraps": int(sum(result.wraps or ())),
        "spikes_per_image": sum(int(counts.sum()) for counts in result.spike_counts) / len(test),
        "neurons": sum(layer.neurons for layer in program.layers),
        "seconds_compiling": round(compiled - start, 1),
        "seconds_simulating": round(time.perf_counter() - compiled, 1),
    }
    if arguments.float:
        named = {each.name: each.result.graph for each in compilation.records}
        graph = named.get("AssignThresholds") or named["ChooseThresholds"]
        inputs = torch.as_tensor(levels, dtype=torch.float32)
        readout = torch.cat([simulate(graph, part, way.timesteps).readout for part in inputs.split(256)])
        row["float_accuracy"] = 100 * float((readout.argmax(1).numpy() == test.labels).mean())
    if arguments.lava:
        reference = Simulator(program).run(levels[: arguments.lava], record=True)
        agreement = compare_runs(program, reference, run_lava(program, levels[: arguments.lava]))
        row["lava"] = agreement.sentence()
    return row


def _labels(test: Dataset) -> NDArray[np.int64]:
    assert test.labels is not None
    return test.labels


def show(ann: float, images: int, rows: list[dict[str, Any]]) -> None:
    """A line for each way to choose thresholds, a column for each T; below, what the paper's networks lost."""
    columns = sorted({row["timesteps"] for row in rows})
    table = Table(title=f"accuracy in % on {images:,} images (ANN {ann:.2f})")
    for title in ("thresholds", "per", "simulation"):
        table.add_column(title)
    for timesteps in columns:
        table.add_column(f"T = {timesteps}", justify="right")
    kinds = sorted({(row["grain"], row["method"], row["objective"]) for row in rows})
    for grain, method, objective in kinds:
        mine = {row["timesteps"]: row for row in rows if (row["grain"], row["method"], row["objective"]) == (
            grain, method, objective)}  # fmt: skip
        title = f"{method}, m = 2" if objective == 2 else method
        for simulation, key in (("8-bit integers", "accuracy"), ("float", "float_accuracy")):
            values = [mine.get(each, {}).get(key) for each in columns]
            if any(value is not None for value in values):
                table.add_row(title, grain, simulation, *("–" if value is None else f"{value:.2f}" for value in values))
    console.print(table)
    drops = Table(title="points below the ANN")
    for title in ("network", "thresholds"):
        drops.add_column(title)
    for timesteps in columns:
        drops.add_column(f"T = {timesteps}", justify="right")
    for grain, method, objective in kinds:
        found = {
            row["timesteps"]: ann - row["accuracy"]
            for row in rows
            if (row["grain"], row["method"], row["objective"]) == (grain, method, objective)
        }
        drops.add_row("this one", f"{method}, m = {objective}, per {grain}", *_points(found, columns))
    drops.add_section()
    for name, (reached, accuracies) in PAPER.items():
        found = {each: reached - value for each, value in zip(PAPER_TIMESTEPS, accuracies, strict=True)}
        drops.add_row(name, "the paper", *_points(found, columns))
    console.print(drops)
    for row in rows:
        if "lava" in row:
            console.print(f"T = {row['timesteps']}, {row['method']}, per {row['grain']}: {row['lava']}")


def _points(found: dict[int, float], columns: list[int]) -> list[str]:
    return [f"{found[each]:.2f}" if each in found else "–" for each in columns]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--arch", help="for a state_dict: resnet20, vgg16, ... or module:factory")
    parser.add_argument("--data", required=True, help="calibration images from its training split, test images")
    parser.add_argument("--mean", type=numbers, default=(0.0,))
    parser.add_argument("--std", type=numbers, default=(1.0,))
    parser.add_argument("--output", type=Path, default=Path("build/benchmarks/cifar10"), help="results folder")
    parser.add_argument("--timesteps", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64, 128])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), help="as --threshold; name:2 for m = 2")
    parser.add_argument("--grains", nargs="+", choices=GRAINS, default=list(GRAINS))
    parser.add_argument("--samples", type=int, help="test images; all without it")
    parser.add_argument("--calibration-samples", type=int, default=512)
    parser.add_argument("--calibrate", default="", metavar="NAMES", help="as snnc compile --calibrate")
    parser.add_argument("--lead", default="0", metavar="K|half", help="as snnc compile --lead; half: T / 2")
    parser.add_argument("--float", action="store_true", help="run the float simulation of the same thresholds too")
    parser.add_argument("--lava", type=int, default=0, metavar="N", help="compare so many images with Lava, each row")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no row after so many")
    arguments = parser.parse_args()
    if arguments.float and (arguments.calibrate or arguments.lead != "0"):
        raise SystemExit("--float simulates thresholds only, neither --calibrate nor --lead")
    if arguments.lava and (reason := lava_available()):
        raise SystemExit(f"Lava cannot run: {reason}")
    torch.set_num_threads(arguments.threads)
    begin = time.perf_counter()
    test = evaluation_data(arguments.data, arguments.samples)
    digest = hashlib.sha256(arguments.model.read_bytes()).hexdigest()
    settings = asdict(Settings(digest, arguments.calibration_samples, len(test), arguments.calibrate, arguments.lead))
    results = ResultFile(arguments.output / "results.json", settings, older={"calibrate": "", "lead": "0"})
    if "ann_accuracy" not in results.content:
        module = as_module(arguments.model, arch=arguments.arch)
        results.content["ann_accuracy"] = ann_accuracy(module, test, arguments.mean, arguments.std)
    ann = results.content["ann_accuracy"]
    console.print(f"ANN: {ann:.2f} % of {len(test):,} images")
    done = {Way(row["timesteps"], row["method"], row["objective"], row["grain"]) for row in results.rows}
    missing = [way for way in ways(arguments) if way not in done]
    calibration = calibration_data(arguments.data, arguments.calibration_samples) if missing else None
    for way in missing:
        if time.perf_counter() - begin > 60 * arguments.minutes:
            break
        assert calibration is not None
        results.add(measure(arguments, way, calibration, test))
        console.print(results.rows[-1])
    show(ann, len(test), results.rows)


if __name__ == "__main__":
    main()
