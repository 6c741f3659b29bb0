"""What thresholds, corrections and lead bring on CIFAR-10, each alone and combined: one table of accuracies.

    python benchmarks/ablation.py --model resnet20.pt --data FOLDER --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225

Options are those of benchmarks/cifar10.py. Every finished cell is written to ablation.json at once, and a second call
goes on where the first one ended.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from ann import numbers
from result_file import ResultFile
from rich.console import Console
from rich.table import Table

from snnc.api.compile import compile_recorded
from snnc.compiler.conversion.calibration.corrections import CORRECTIONS
from snnc.inputs.data import as_module, calibration_data, evaluation_data, input_levels
from snnc.models.data import Dataset
from snnc.runtime.simulator import Simulator

THRESHOLDS = ("data-driven", "data-driven:2", "percentile", "auto")
COMBINATIONS = ("", *CORRECTIONS, "weights,bias", "weights,spread,bias", ",".join(CORRECTIONS))
LEADS = ("0", "half")

console = Console(width=None if Console().is_terminal else 140)


@dataclass(frozen=True)
class Cell:
    """One network of the table.

    Attributes:
        timesteps: T.
        lead: k.
        threshold: As --threshold; ``name:2`` for m = 2.
        calibrate: As --calibrate; nothing for none.
    """

    timesteps: int
    lead: int
    threshold: str
    calibrate: str


def cells(arguments: argparse.Namespace) -> list[Cell]:
    """All that is asked for: corrections one after the other, so that a table that is cut short compares thresholds."""
    return [
        Cell(timesteps, timesteps // 2 if lead == "half" else int(lead), threshold, calibrate)
        for timesteps in sorted(arguments.timesteps)
        for lead in arguments.leads
        for calibrate in arguments.calibrate
        for threshold in arguments.thresholds
    ]


def measure(arguments: argparse.Namespace, cell: Cell, calibration: Dataset, test: Dataset) -> dict[str, Any]:
    """One cell."""
    start = time.process_time()
    method, _, objective = cell.threshold.partition(":")
    compilation = compile_recorded(
        as_module(arguments.model, arch=arguments.arch),
        calibration,
        timesteps=cell.timesteps,
        threshold=method,
        objective=int(objective or 1),
        mean=arguments.mean,
        std=arguments.std,
        calibrate=cell.calibrate,
        lead=cell.lead,
        calibration_samples=len(calibration),
    )
    compiled = time.process_time()
    result = Simulator(compilation.program).run(input_levels(compilation.program, test).values)
    assert test.labels is not None
    chosen = [each.result.stats for each in compilation.records if each.name == "ChooseThresholds"]
    return {
        **asdict(cell),
        "accuracy": 100 * result.accuracy(test.labels),
        "wraps": int(sum(result.wraps or ())),
        "chosen": chosen[0]["chosen"] if chosen else None,
        "processor_seconds_compiling": round(compiled - start, 1),
    }


def show(rows: list[dict[str, Any]], images: int) -> None:
    """A table for each T and lead: a row for each combination of corrections, a column for each threshold."""
    error = 100 * math.sqrt(0.5 * 0.5 / images)
    for timesteps, lead in sorted({(row["timesteps"], row["lead"]) for row in rows}):
        table = Table(title=f"T = {timesteps}, lead {lead}: accuracy in % on {images:,} images")
        table.add_column("corrections")
        mine = {(row["calibrate"], row["threshold"]): row for row in rows if (row["timesteps"], row["lead"]) == (
            timesteps, lead)}  # fmt: skip
        thresholds = list(dict.fromkeys(threshold for _, threshold in mine))
        for threshold in thresholds:
            table.add_column(threshold, justify="right")
        for calibrate in dict.fromkeys(calibrate for calibrate, _ in mine):
            found = [mine.get((calibrate, threshold)) for threshold in thresholds]
            table.add_row(calibrate or "none", *(f"{row['accuracy']:.2f}" if row else "–" for row in found))
        console.print(table)
    console.print(f"standard error: {error:.1f} points or less")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--arch", help="for a state_dict: resnet20, vgg16, ... or module:factory")
    parser.add_argument("--data", required=True, help="calibration images from its training split, test images")
    parser.add_argument("--mean", type=numbers, default=(0.0,))
    parser.add_argument("--std", type=numbers, default=(1.0,))
    parser.add_argument("--output", type=Path, default=Path("build/benchmarks/ablation"), help="results folder")
    parser.add_argument("--timesteps", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--leads", nargs="+", default=list(LEADS), metavar="K|half")
    parser.add_argument("--thresholds", nargs="+", default=list(THRESHOLDS), help="as --threshold; name:2 for m = 2")
    parser.add_argument("--calibrate", nargs="+", default=list(COMBINATIONS), help="as snnc compile --calibrate")
    parser.add_argument("--samples", type=int, default=2000, help="test images")
    parser.add_argument("--calibration-samples", type=int, default=512)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no cell after so many")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    begin = time.perf_counter()
    test = evaluation_data(arguments.data, arguments.samples)
    settings = {
        "model": hashlib.sha256(arguments.model.read_bytes()).hexdigest(),
        "calibration": arguments.calibration_samples,
        "test": len(test),
    }
    results = ResultFile(arguments.output / "ablation.json", settings)
    names = tuple(field for field in Cell.__dataclass_fields__)
    done = {Cell(*(row[name] for name in names)) for row in results.rows}
    missing = [cell for cell in cells(arguments) if cell not in done]
    calibration = calibration_data(arguments.data, arguments.calibration_samples) if missing else None
    for cell in missing:
        if time.perf_counter() - begin > 60 * arguments.minutes:
            break
        assert calibration is not None
        results.add(measure(arguments, cell, calibration, test))
        console.print(results.rows[-1])
    show(results.rows, len(test))


if __name__ == "__main__":
    main()
