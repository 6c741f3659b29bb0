"""Fine-tuned networks: what they are worth on the chip's integers, and how they got there.

    python benchmarks/finetune.py subset --data FOLDER --train 5000 --test 2000 -o subset.npz
    python benchmarks/finetune.py table --ann resnet20.pt --networks t1.pt t2.pt --data FOLDER --mean ... --std ...
    python benchmarks/finetune.py curves data-driven.json max.json --names data-driven maximum -o curves.svg

``table`` compiles networks that ``snnc finetune`` wrote, with their learned thresholds, and the ANN as ``snnc compile``
converts it, runs both on the test images, and compares the first with Lava. ``curves`` draws the accuracies of the
logs that ``snnc finetune`` wrote beside its networks: figure 4 of the paper, where the one run begins with data-driven
thresholds and the other with the largest activations.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ann import ann_accuracy, numbers
from rich.console import Console
from rich.table import Table

import snnc
from snnc.common.atomic_write import write_whole
from snnc.common.plotting import check_picture, save_picture
from snnc.inputs.data import as_module, evaluation_data, input_levels
from snnc.models.data import Dataset, load_data
from snnc.models.spiking import SpikingNetwork
from snnc.runtime.agreement import compare_runs
from snnc.runtime.lava import lava_available, run_lava
from snnc.runtime.simulator import Simulator

# What the paper's networks lose by fine-tuning for T steps, in points: VGG16, 95.89 to 92.45, 92.97 and 93.96 for
# T = 1, 2 and 4; ResNet18, 96.80 to 94.19 for T = 4 (table 4).
PAPER = {1: (95.89 - 92.45, None), 2: (95.89 - 92.97, None), 4: (95.89 - 93.96, 96.80 - 94.19)}

console = Console(width=None if Console().is_terminal else 160)


def subset(arguments: argparse.Namespace) -> None:
    """Writes as many images of each class to a file, of both splits."""
    arrays = {}
    for split, count in (("train", arguments.train), ("test", arguments.test)):
        drawn = load_data(arguments.data, split=split).subset(count, 0)
        arrays[f"x_{split}"], arrays[f"y_{split}"] = drawn.images, drawn.labels
    np.savez(arguments.output, **arrays)


def measured(model: Path, arguments: argparse.Namespace, test: Dataset, **options: Any) -> dict[str, Any]:
    """Compiles a network and runs it."""
    program = snnc.compile(
        model,
        arguments.data,
        mean=arguments.mean,
        std=arguments.std,
        calibration_samples=arguments.calibration_samples,
        **options,
    )
    levels = input_levels(program, test).values
    result = Simulator(program).run(levels)
    assert test.labels is not None
    row: dict[str, Any] = {
        "accuracy": 100 * result.accuracy(test.labels),
        "wraps": int(sum(result.wraps or ())),
        "spikes_per_image": sum(int(counts.sum()) for counts in result.spike_counts) / len(test),
    }
    if arguments.lava:
        reference = Simulator(program).run(levels[: arguments.lava], record=True)
        row["lava"] = compare_runs(program, reference, run_lava(program, levels[: arguments.lava])).sentence()
    return row


def table(arguments: argparse.Namespace) -> None:
    """A row for each network."""
    if arguments.lava and (reason := lava_available()):
        raise SystemExit(f"Lava cannot run: {reason}")
    torch.set_num_threads(arguments.threads)
    test = evaluation_data(arguments.data, arguments.samples)
    module = as_module(arguments.ann, arch=arguments.arch)
    ann = ann_accuracy(module, test, arguments.mean, arguments.std)
    console.print(f"ANN: {ann:.2f} % of {len(test):,} images")
    shown = Table(title=f"accuracy in % on {len(test):,} images (ANN {ann:.2f})")
    for title in ("network", "T", "lead", "epochs", "trained, float", "8-bit integers", "points below the ANN",
                  "paper: VGG16, ResNet18", "converted only", "spikes an image"):  # fmt: skip
        shown.add_column(title)
    rows = []
    for path in arguments.networks:
        network = as_module(path)
        if not isinstance(network, SpikingNetwork):
            raise SystemExit(f"{path} is no network that snnc finetune wrote")
        log = json.loads(path.with_suffix(".json").read_text())
        epochs = log["epochs"]
        timing = {"timesteps": network.steps, "lead": network.lead}
        row = {
            "network": str(path),
            **timing,
            "epochs": len(epochs),
            # The last epoch's, or that of the best one on held-out images.
            "trained": 100 * max(epochs, key=lambda each: each["held_out_accuracy"] or each["epoch"])["test_accuracy"],
            **measured(path, arguments, test, threshold="learned", max_pool="or", **timing),
        }
        if arguments.converted:
            lava, arguments.lava = arguments.lava, 0
            row["converted"] = measured(arguments.ann, arguments, test, arch=arguments.arch, **timing)["accuracy"]
            arguments.lava = lava
        rows.append(row)
        console.print(row)
        paper = [each for each in PAPER.get(network.steps, ()) if each is not None]
        shown.add_row(
            path.name,
            str(network.steps),
            str(network.lead),
            str(row["epochs"]),
            f"{row['trained']:.2f}",
            f"{row['accuracy']:.2f}",
            f"{ann - row['accuracy']:.2f}",
            ", ".join(f"{each:.2f}" for each in paper) or "–",
            f"{row['converted']:.2f}" if "converted" in row else "–",
            f"{row['spikes_per_image']:,.0f}",
        )
        write_whole(arguments.output, (json.dumps({"ann": ann, "rows": rows}, indent=2) + "\n").encode())
    console.print(shown)


def curves(arguments: argparse.Namespace) -> None:
    """Draws accuracy over epochs, one panel for each log."""
    from matplotlib.figure import Figure

    destination = check_picture(arguments.output)
    logs = [json.loads(path.read_text()) for path in arguments.logs]
    names = arguments.names or [path.stem for path in arguments.logs]
    figure = Figure(figsize=(4.2 * len(logs), 3.4), layout="constrained")
    panels = figure.subplots(1, len(logs), sharey=True, squeeze=False)[0]
    for panel, log, name in zip(panels, logs, names, strict=True):
        epochs = [epoch["epoch"] for epoch in log["epochs"]]
        for key, label, style in (("train_accuracy", "training", "o--"), ("test_accuracy", "test", "o-")):
            panel.plot(epochs, [100 * epoch[key] for epoch in log["epochs"]], style, label=label, markersize=3)
        panel.set_title(f"{name}, T = {log['settings']['timesteps']}")
        panel.set_xlabel("epoch")
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("accuracy in %")
    panels[0].set_ylim(0, 100)
    panels[0].legend(frameon=False)
    save_picture(figure, destination)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    drawn = commands.add_parser("subset", help="a smaller data set")
    drawn.add_argument("--data", required=True)
    drawn.add_argument("--train", type=int, default=5000)
    drawn.add_argument("--test", type=int, default=2000)
    drawn.add_argument("-o", "--output", type=Path, required=True)
    drawn.set_defaults(run=subset)
    rows = commands.add_parser("table", help="accuracy of fine-tuned networks")
    rows.add_argument("--ann", type=Path, required=True, help="the network that they were fine-tuned from")
    rows.add_argument("--arch", help="for a state_dict")
    rows.add_argument("--networks", type=Path, nargs="+", required=True, help="files of snnc finetune")
    rows.add_argument("--data", required=True)
    rows.add_argument("--mean", type=numbers, default=(0.0,))
    rows.add_argument("--std", type=numbers, default=(1.0,))
    rows.add_argument("--samples", type=int, help="test images; all without it")
    rows.add_argument("--calibration-samples", type=int, default=512)
    rows.add_argument("--converted", action="store_true", help="compile the ANN for the same T too")
    rows.add_argument("--lava", type=int, default=0, metavar="N", help="compare so many images with Lava")
    rows.add_argument("--threads", type=int, default=1)
    rows.add_argument("-o", "--output", type=Path, default=Path("finetune.json"))
    rows.set_defaults(run=table)
    drawing = commands.add_parser("curves", help="accuracy over epochs")
    drawing.add_argument("logs", type=Path, nargs="+", help="OUT.json of snnc finetune")
    drawing.add_argument("--names", nargs="+")
    drawing.add_argument("-o", "--output", type=Path, required=True)
    drawing.set_defaults(run=curves)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
