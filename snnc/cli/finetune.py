"""``snnc finetune``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snnc.cli.options import Config, Json, NoConfig, Verbose
from snnc.cli.outputs import Inputs
from snnc.cli.parameters import with_options
from snnc.cli.screen import Screen
from snnc.cli.training import RunFiles, TrainingData, TrainingOutput, carry_out, show_result
from snnc.compiler.options import ModelFileOptions
from snnc.compiler.parallel import connected, launched
from snnc.finetuning.options import FinetuneOptions, TeacherOptions
from snnc.models.training.options import SessionOptions

if TYPE_CHECKING:
    from snnc.finetuning.whole_run import FinetuneRun

__all__ = ["EXAMPLES", "finetune_command"]

EXAMPLES = """\b
Examples:
  snnc finetune resnet20.pt --data cifar10:data -T 1 -o t1.pt
  snnc finetune t1.pt --data cifar10:data -T 4 --epochs 20 -o t4.pt
  snnc compile t4.pt --calib cifar10:data -T 4 --threshold learned
"""


@with_options
def finetune_command(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="The trained network, as for snnc compile; or one that snnc finetune wrote."
        ),
    ],
    data: TrainingData,
    options: FinetuneOptions,
    teaching: TeacherOptions,
    reading: ModelFileOptions,
    session: SessionOptions,
    output: TrainingOutput = None,
    config: Config = None,
    no_config: NoConfig = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Train a network on as a spiking one, for few steps per sample.

    Activations become integrate-and-fire neurons, with thresholds and initial potentials from the data, and the spiking
    network itself is trained, by a surrogate for the derivative of a spike. The defaults are the paper's (section
    8.2.1): T = 1 first, then from its result further T. Several processes, started by torchrun, share every batch.
    """
    session.check_threads()
    processes = launched()
    files = RunFiles.of(output or model.with_name(f"{model.stem}-t{options.timesteps}.pt"))
    if processes.is_first:
        read = Inputs(model, teaching.teacher, config, data=(data,), code=reading.arch)
        files.check(read, resume=session.resume)
    screen = Screen(json=as_json and processes.is_first, quiet=not processes.is_first, config=config)
    # Imported late, since torch takes seconds.
    from snnc.common.devices import chosen_device
    from snnc.finetuning.whole_run import prepare

    device = chosen_device(session.device)
    with connected(processes), screen.steps() as steps:
        run = prepare(
            model,
            data,
            options,
            teacher=teaching.teacher,
            arch=reading.arch,
            trust=reading.trust,
            processes=processes,
            progress=steps,
        )
        images = run.data.training
        screen.show(
            f"training {model} for T = {options.timesteps} on {len(images):,} images of {images.name}, on {device}"
        )
        history = carry_out(run, session, device, files, screen, steps, "snnc finetune")
    if not processes.is_first:
        return 0
    from snnc.models.training.session import best_of

    if len(history) < options.epochs:
        better = f"{options.patience} epochs without a better one on held-out images"
        screen.note(f"stopped after epoch {len(history)}: {better}")
    test = run.data.test
    tested = f"{len(test):,} images of {test.name}, after epoch {best_of(history).epoch}"
    show_result(run, history, files, screen, tested, _compile_options(run, data))
    return 0


def _compile_options(run: FinetuneRun, data: str) -> list[str]:
    from torch import nn

    options = [f"--calib {data}", f"-T {run.options.timesteps}", "--threshold learned"]
    if any(isinstance(part, nn.MaxPool2d) for part in run.network.modules()):
        options.append("--max-pool or")
    if run.options.lead:
        options.append(f"--lead {run.options.lead}")
    return options
